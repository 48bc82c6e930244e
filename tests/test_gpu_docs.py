"""docs/GPU.md against the code it describes."""

import re

import pytest
from conftest import ROOT

from pipeline.scale import estimates, machine

TEXT = (ROOT / "docs/GPU.md").read_text()


def test_the_estimates_are_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    estimates.main()
    shown = re.search(r"<!-- estimates: begin -->\n```text\n(.*?)```", TEXT, re.S)
    assert shown and shown.group(1) == capsys.readouterr().out


def test_an_estimate_follows_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = estimates.estimate()
    assert found.weights == 12 * 12 * 768**2
    assert found.seconds[0.45] == pytest.approx(found.flops_per_token * found.tokens / (0.45 * 989e12))
    assert found.flops_per_token == pytest.approx(
        6 * (found.weights + 768 * estimates.WORDS) + 12 * 12 * 768 * estimates.LENGTH_OF_A_TOKEN
    )


def test_every_variable_of_the_environment_is_described() -> None:
    named = set(re.findall(r"W2S_[A-Z_]+", str(machine.__doc__)))
    assert named and all(f"| `{name}` |" in TEXT for name in named)


def test_nothing_is_published_or_claimed_of_a_gpu_while_the_text_says_so() -> None:
    assert "No GPU was at hand" in TEXT
    assert not list((ROOT / "published").glob("*_gpu"))
    assert not any("_gpu" in path.read_text() for path in (ROOT / "claims").glob("*.yaml"))
