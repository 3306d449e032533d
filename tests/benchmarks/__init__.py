"""Figures as ratios: each benchmark runs beside its baseline, in turns, on the same servers."""
