"""How LLaVA is laid out on disk: the original's names and settings, Hugging Face's, and the way between them."""
