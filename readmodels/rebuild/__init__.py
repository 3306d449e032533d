"""Rebuilding read models from the log, and checking them against it. Begin with `rebuilding`."""
