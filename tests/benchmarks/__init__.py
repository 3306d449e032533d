"""Measure ratios: each benchmark and its baseline run in turns on the same servers."""
