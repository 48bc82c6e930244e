"""Weak labels only where the strong model does not know the answer (after Lang, Huang and Li 2025)."""
