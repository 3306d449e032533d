"""Evidence packs: what the log holds about a payment, with proof, as files for outsiders."""
