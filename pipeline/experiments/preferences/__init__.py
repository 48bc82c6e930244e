"""Yao et al. 2025 with pretrained language models: preference pairs and text classification, frozen or finetuned."""
