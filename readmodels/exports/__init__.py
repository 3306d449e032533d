"""Exports: what left the service as a file, who took it and why."""
