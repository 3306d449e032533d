"""The Django app "traffic", which has commands and no tables."""

from django.apps import AppConfig


class TrafficConfig(AppConfig):
    name = "payments.traffic"
    label = "traffic"
