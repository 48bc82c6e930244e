"""Charikar et al. 2024, Figure 2 a-c: random ReLU networks, representations known, pretrained or perturbed."""
