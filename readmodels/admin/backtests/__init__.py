"""The screens of backtests: ask, follow, read and attach a result."""
