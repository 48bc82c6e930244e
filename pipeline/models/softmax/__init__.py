"""Classification: softmax heads, mixtures of experts, and pretraining with cross-entropy."""
