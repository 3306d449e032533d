"""One action for up to fifty payments: choose, preview, confirm, and see each outcome."""
