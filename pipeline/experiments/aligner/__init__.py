"""Aligner (Ji et al. 2024): a small corrector of other models' answers, and a strong model taught by corrections."""
