"""Films: reading, padding, the film index and the film cache."""
