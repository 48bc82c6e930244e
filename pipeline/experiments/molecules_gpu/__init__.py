"""Molecules at the papers' size: a strong model of MolBERT's shape, all SMILES, the weak ladder with five seeds."""
