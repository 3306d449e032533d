"""Figures as ratios: benchmark and baseline run in turns on the same servers."""
