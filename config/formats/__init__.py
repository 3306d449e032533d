"""How dates are written: as ISO 8601 does, which nobody misreads."""
