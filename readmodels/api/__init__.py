"""Reads over HTTP: a client sees its own payments and nothing else."""
