"""Registers the commands of the traffic as the Django app "traffic"; it has no tables."""

from django.apps import AppConfig


class TrafficConfig(AppConfig):
    name = "payments.traffic"
    label = "traffic"
