"""What things cost: one command each, a table out."""
