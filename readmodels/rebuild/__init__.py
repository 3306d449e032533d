"""Rebuild read models from the log, and compare them with it. Start reading at `rebuilding`."""
