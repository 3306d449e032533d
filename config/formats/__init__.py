"""Date formats: ISO 8601, which is unambiguous."""
