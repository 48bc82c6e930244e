"""Charikar et al. 2024, Figure 2 d-f and the selection table: properties of real molecules."""
