"""Second reviews: the queue, the page with the evidence and the form, and the concluded ones."""
