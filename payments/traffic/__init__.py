"""Payments from other sources than the API: files of past payments, simulations, demo data."""
