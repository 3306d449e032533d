"""Risk policies for people: their texts, and the differences between two of them."""
