"""Second reviews: the queue, the page with evidence and form, and the concluded reviews."""
