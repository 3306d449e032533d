"""Registers the customers as the Django app "customers"."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "payments.customers"
    label = "customers"
    verbose_name = "Customers"
