"""Rankings → one Ranking: one published method a module, pure functions."""
