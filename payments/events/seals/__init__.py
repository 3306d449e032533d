"""Seals: signed digests of the log, by which every later change of a sealed event shows."""
