"""Webhooks: send each client's events to its endpoints, following Standard Webhooks 1.0."""
