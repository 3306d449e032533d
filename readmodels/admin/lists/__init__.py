"""The screens for lists: their entries, and the pages that change them."""
