"""Many runs as one table: what is varied, who runs the cells, where they are kept, and what came out."""
