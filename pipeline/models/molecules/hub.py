"""Frozen features of a transformer from the Hugging Face hub (for example ChemBERTa), at a pinned revision."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from pipeline.core.errors import InputError

BATCH = 32


def represent(smiles: Sequence[str], model: str, revision: str) -> np.ndarray:
    """Mean over the tokens that the attention mask counts, shape (molecules, hidden), float32.

    model: name on the hub, or a folder in the same format.  Safetensors only and no remote code.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)
        network = AutoModel.from_pretrained(model, revision=revision, trust_remote_code=False, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"params.yaml: molecules.represent.hub: {model}@{revision} cannot be loaded ({reason}); "
            "connect to the hub once, or set molecules.represent.strong to minimol"
        ) from None
    # Neighbours in length share a batch, so little is padded; the mask keeps padding out of the mean.
    order = np.argsort([len(text) for text in smiles], kind="stable")
    features = np.empty((len(smiles), network.config.hidden_size), dtype=np.float32)
    network.eval()
    with torch.inference_mode():
        for rows in np.split(order, range(BATCH, len(order), BATCH)):
            batch = tokenizer([smiles[row] for row in rows], padding=True, truncation=True, return_tensors="pt")
            states = network(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            features[rows] = ((states * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
    return features
