"""One action for up to fifty payments of the queue: choose, preview, confirm, see the outcome of each."""
