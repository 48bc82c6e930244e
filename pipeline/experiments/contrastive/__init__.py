"""ConG (Jiang et al. 2025) in a token grammar whose reward is known exactly: contrastive decoding, students of it."""
