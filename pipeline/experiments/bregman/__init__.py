"""Misfit and gain beyond squared loss (Mulgund and Pabbaraju 2025): Bregman projections and mixtures of k heads."""
