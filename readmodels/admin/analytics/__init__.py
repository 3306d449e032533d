"""The analytics page: `question` reads the form, `tables` has the figures, `page` is the view."""
