"""Saved views: named filters and orders of a list, private or shared, as tabs above the list."""
