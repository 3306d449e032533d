"""The operations on risk policies and backtests."""
