"""Pretrained language models: where they come from, what is read from them, how they are finetuned."""
