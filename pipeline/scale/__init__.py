"""Training at the papers' size: one fast loop for a GPU, several of them, or at tiny size the processor."""
