"""Teaching a vision-language model to look: rows that share their film, the label mask, the loss, the run.

Importing this package loads nothing heavy; its modules import torch and transformers.
"""
