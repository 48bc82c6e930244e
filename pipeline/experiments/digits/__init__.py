"""Yao et al. 2025 on real data: scikit-learn's handwritten digits, 10 classes, over random splits."""
