"""Work shared between clones through a remote; `python -m tests.shards` does the same with every experiment."""

from pathlib import Path

import pytest

from tests.clones import outcomes
from tests.shards import clones, make, ran, remotes, take, taken


def test_what_two_clones_made_a_third_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2S_WORKERS", "1")
    halves = {"weak@digits": 3, "data@kl": 1}  # and how many stages that takes
    with remotes(tmp_path / "store") as config:
        *makers, third, fourth = clones(tmp_path, config, 4)
        for maker, (stage, count) in zip(makers, halves.items(), strict=True):
            assert ran(make(maker, [stage])) == count
        made = {path: digest for maker in makers for path, digest in outcomes(maker).items()}
        for taker, remote in ((third, "folder"), (fourth, "s3")):
            shown = take(taker, [*halves], remote)
            assert (ran(shown), taken(shown)) == (0, 4)
            assert outcomes(taker) == made and len(made) > 2
