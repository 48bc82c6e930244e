"""Regression on data of one's own, texts or molecules: ridge heads on frozen representations."""
