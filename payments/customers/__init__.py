"""Everything personal, as plain rows that can be renamed and erased.

Events hold only ids of what is here.
"""
