"""The screens of lists: their entries, and the pages that change them."""
