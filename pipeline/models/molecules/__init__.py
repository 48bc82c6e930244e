"""Representations of molecules: SMILES transformers trained here, MiniMol, Morgan counts, and models of the hub."""
