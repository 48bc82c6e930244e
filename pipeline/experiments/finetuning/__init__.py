"""A language model finetuned whole on weak labels of texts, measured along training."""
