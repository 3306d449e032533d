"""Rebuilds read models from the log, and compares them with it. Start reading at `rebuilding`."""
