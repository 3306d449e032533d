"""Evidence packs: what the log holds about a payment, with its proof, in files for people elsewhere."""
