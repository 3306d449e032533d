"""The screens for backtests: start one, follow it, read its result and attach it."""
