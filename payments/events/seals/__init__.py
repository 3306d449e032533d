"""Seals: signed digests of the log, which reveal every later change of a sealed event."""
