"""How the shipped starters are made: drawn scenes, captions, and the order of lessons.

A starter is a stand-in: `starter` for baseline LLaVA, `starter-med` for LLaVA-Med. It is small, it has seen drawings
and synthetic films only, and nothing it says is a statement about LLaVA.
"""
