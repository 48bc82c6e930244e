"""Yao et al. 2025: gain, misfit, bounds and calibration for classification, on the networks of `synthetic`."""
