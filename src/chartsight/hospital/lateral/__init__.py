"""The lateral film: the same patient seen from the left, the front on the left of the film."""
