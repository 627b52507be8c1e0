"""The LLaVA family: prompts, checkpoints, the starter's own vision tower, many answers per film.

Importing this package loads nothing heavy; its modules import torch and transformers.
"""
