"""The operations on webhook endpoints. A client sees and changes only its own."""
