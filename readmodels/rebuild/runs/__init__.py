"""Rebuilds that staff start on screen: a comparison first, then a swap that a person has confirmed."""
