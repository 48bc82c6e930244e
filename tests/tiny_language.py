"""A language model of a few thousand parameters, saved as the hub saves them, and tiny text sets beside it."""

import hashlib
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXModel, PreTrainedTokenizerFast

from tests.conftest import Tiny

WORDS = ("how", "do", "i", "bake", "steal", "fix", "bread", "cars", "bikes", "sure", "sorry", "no", "gladly", "!", "?")
REVISION = "0123456789abcdef0123456789abcdef01234567"


def save_model(folder: Path, hidden: int = 16, layers: int = 2) -> Path:
    """All files of a hub folder: config, tokenizer, safetensors.  The padding token is `!`, as in GPT-2."""
    torch.manual_seed(0)
    names = ["!", "<unk>", *(word for word in (*WORDS, "Human", "Assistant", ":", "Q", "A") if word != "!")]
    tokenizer = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="!").save_pretrained(folder)
    config = GPTNeoXConfig(
        vocab_size=len(names),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=64,
    )
    GPTNeoXModel(config).save_pretrained(folder)
    return folder


def pair(stream: np.random.Generator) -> dict[str, str]:
    """A prompt with a kind and an unkind answer, told apart by one word."""
    ask = " ".join(
        ["how do i", *stream.choice(["bake", "steal", "fix"], 1), *stream.choice(["bread", "cars", "bikes"], 1)]
    )
    tail = " ".join(stream.choice(WORDS[:9], stream.integers(1, 6)))
    text = f"\n\nHuman: {ask} {stream.integers(60)} ?\n\nAssistant: "
    return {"chosen": f"{text}{tail} gladly", "rejected": f"{text}{tail} no"}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> dict[str, str]:
    """JSON lines under xz; returns the entry of params.yaml, its path relative to data/."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def preference_set(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Entry of a set of pairs in three files."""
    stream = np.random.default_rng(0)
    files = {
        part: write_lines(folder / f"pairs_{part}.jsonl.xz", [pair(stream) for _ in range(count)])
        for part, count in sizes.items()
    }
    return {
        "task": "preference",
        "source": files,
        "columns": {"chosen": "chosen", "rejected": "rejected"},
        "separator": "\n\nAssistant:",
        "sizes": sizes,
    }


def question_set(folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Entry of a classification set in one pool."""
    rows = [
        {"ask": f"Q: {number} how do i fix {WORDS[number % 9]} A: {('no', 'gladly')[number % 2]}", "good": number % 2}
        for number in range(sum(sizes.values()) + 5)
    ]
    return {
        "task": "classification",
        "source": {"pool": write_lines(folder / "questions.jsonl.xz", rows)},
        "columns": {"text": "ask", "label": "good"},
        "separator": " A: ",
        "sizes": sizes,
    }


def tiny_preferences(block: dict[str, Any], model: Path, data: Path) -> None:
    """Shrink the block of params.yaml to sizes that run in seconds, on a model and sets saved in these folders."""
    sizes = {"truth": 40, "weak": 48, "test": 32}
    block["data"]["datasets"] = {"pairs": preference_set(data, sizes), "questions": question_set(data, sizes)}
    views = {"low": (0, "mean"), "middle": (1, "last"), "high": (2, "last")}
    block["represent"].update(
        models={"tiny": {"name": str(model), "revision": REVISION, "licence": "MIT"}},
        ladder={name: {"model": "tiny", "layer": layer, "pooling": way} for name, (layer, way) in views.items()},
        float32_rows={"questions": 30},
        max_tokens=24,
    )
    block["weak"].update(seeds=[0, 1])
    block["weak"]["teachers"] = {
        "low": {"rung": "low", "labels": 40, "dimensions": 0},
        "low-8": {"rung": "low", "labels": 8, "dimensions": 4},
    }
    block["labels"].update(noise=[0.0, 0.5], noise_teachers=["low"])
    strong = block["strong"]
    strong.update(rungs=["middle", "high"], focus="high", chain=["middle"])
    strong["curves"].update(teachers=["low"], epochs=[1, 2], learning_rates=[0.01])
    strong["full"].update(
        datasets=["pairs"],
        pairs=[["low", "high"]],
        rows=16,
        test_rows=20,
        batch_size=8,
        micro_batch=3,
        learning_rate=0.001,
    )
    block["evaluate"].update(bins=4, resamples=100)


def tiny_study(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Work in an empty folder with a tiny network and tiny sets; the function returned writes params.yaml, the study's
    block changed at will."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("W2S_WORKERS", "1")
    monkeypatch.setenv("W2S_MIRROR", str(home / "mirror"))
    params = Tiny()
    tiny_preferences(params["preferences"], save_model(home / "model"), home / "data")

    def write(change: Callable[[dict[str, Any]], None] = lambda block: None) -> None:
        change(params["preferences"])
        params.write(home)

    write()
    return write
