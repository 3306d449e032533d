"""Seals: signed digests of the log, which reveal every later change to a sealed event."""
