"""Take the longer phrases of SST-2.  <mirror>/nlp_w2s/sst2_train.tsv.xz -> data/sst2/phrases.jsonl.xz

    python data/sst2/make_subset.py [--check]

The mirror is the folder in W2S_MIRROR, by default ../shared/data.
With --check nothing is written: the exit code says whether the shipped file is what this script makes.
"""

import csv
import hashlib
import json
import lzma
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAIN_SHA256 = "d9ce70a15cd9544d2a035fa9639d404314f0c7d95fa4a737ae6c2b62162fd402"
LEAST_WORDS = 8


def main() -> None:
    """Write the phrases, or with --check compare them with the shipped file."""
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in phrases(train())).encode()
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    target = HERE / "phrases.jsonl.xz"
    if "--check" in sys.argv[1:]:
        same = target.exists() and lzma.decompress(target.read_bytes()) == content
        sys.exit(0 if same else f"{target} is not what this script makes; run without --check to make it anew")
    target.write_bytes(packed)
    print(f"{target.name}: {len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


def train() -> list[dict[str, str]]:
    """Rows of GLUE's training split."""
    mirror = Path(os.environ.get("W2S_MIRROR", HERE.parents[1] / ".." / "shared" / "data"))
    path = mirror / "nlp_w2s" / "sst2_train.tsv.xz"
    if not path.exists():
        sys.exit(f"{path} is missing; set W2S_MIRROR to the folder that holds nlp_w2s/sst2_train.tsv.xz")
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != TRAIN_SHA256:
        sys.exit(f"{path} has another sha256 than {TRAIN_SHA256}; fetch it again")
    lines = lzma.decompress(packed).decode().splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def phrases(rows: list[dict[str, str]]) -> list[dict[str, object]]:
    """Phrases of at least LEAST_WORDS words, each once, in the order of the file."""
    long = [row for row in rows if len(row["sentence"].split()) >= LEAST_WORDS]
    labels = {row["sentence"].strip(): int(row["label"]) for row in reversed(long)}
    return [{"text": text, "label": label} for text, label in reversed(labels.items())]


if __name__ == "__main__":
    main()
