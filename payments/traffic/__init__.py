"""Payments that do not come through the API: files of past ones, simulated ones, demo data."""
