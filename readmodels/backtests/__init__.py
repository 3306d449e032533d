"""Backtests: evaluate a risk policy over the log, in parts, by several workers. See README.md."""
