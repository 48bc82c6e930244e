"""Every mistake in params.yaml is one line that names the key, the value and the remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline import study
from pipeline.core import experiments
from pipeline.core.config import Block
from pipeline.core.errors import InputError


@pytest.mark.parametrize("experiment", ["synthetic", "realizability"])
def test_the_committed_params_are_valid(experiment: str) -> None:
    assert experiments.load(experiment, ROOT / "params.yaml").settings.data.seeds


MISTAKES = {
    "negative sigma": (
        {"synthetic__represent__perturbation__weak_sigma": -1.0},
        "synthetic.represent.perturbation.weak_sigma is -1.0",
    ),
    "zero tasks": ({"synthetic__data__tasks": 0}, "synthetic.data.tasks is 0"),
    "no seed": ({"synthetic__data__seeds": []}, "synthetic.data.seeds is []"),
    "number as text": ({"synthetic__weak__learning_rate": "1e-3"}, "synthetic.weak.learning_rate is '1e-3'"),
    "unknown key": ({"synthetic__weak__learning_rat": 1.0}, "synthetic.weak.learning_rat is not a known key"),
    "unknown head": ({"synthetic__strong__heads": ["adam"]}, "synthetic.strong.heads[0] is 'adam'"),
    "unknown schedule": ({"synthetic__represent__schedule": "mixed"}, "synthetic.represent.schedule is 'mixed'"),
    "fraction for a count": ({"synthetic__data__tasks": 2.5}, "synthetic.data.tasks is 2.5"),
    "infinite rate": ({"synthetic__weak__learning_rate": float("inf")}, "synthetic.weak.learning_rate"),
    "unknown block": ({"synthetical": {}}, "synthetical is not a known key"),
    "unnamed experiment": ({"experiments": ["synthetic", "nothing"]}, "no block 'nothing:'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_its_key(name: str, write_params: Callable[..., None]) -> None:
    changes, expected = MISTAKES[name]
    write_params(**changes)
    with pytest.raises(InputError) as caught:
        experiments.load("synthetic")
    assert expected in str(caught.value)
    assert "params.yaml" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_key_is_named(write_params: Callable[..., None]) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text("\n".join(line for line in text.split("\n") if "weak_sigma" not in line))
    with pytest.raises(InputError, match=r"synthetic.represent.perturbation\.weak_sigma is missing"):
        experiments.load("synthetic")


def test_a_misspelt_key_is_one_mistake(write_params: Callable[..., None]) -> None:
    """The unknown key and the missing one are told together, before other mistakes; so is a key of the header."""
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("weak_sigma", "weak_sgima", 1))
    told = "perturbation.weak_sgima is not a known key, and synthetic.represent.perturbation.weak_sigma is missing"
    with pytest.raises(InputError, match=rf"{told}; did you mean weak_sigma\?$"):
        experiments.load("synthetic")


@pytest.mark.parametrize(
    ("text", "expected"), [("a: [", "not valid YAML"), ("- 1", "no mapping"), (None, "is missing")]
)
def test_a_broken_file_is_named(text: str | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=expected):
        experiments.load("synthetic", path)


def test_diagrams_are_of_experiments(write_params: Callable[..., None]) -> None:
    write_params(diagrams=["gone"])
    with pytest.raises(InputError, match="params.yaml: diagrams holds 'gone', which is not in experiments; drop it"):
        experiments.load("synthetic")


def test_an_unknown_experiment_lists_the_known(write_params: Callable[..., None]) -> None:
    with pytest.raises(InputError, match="known: synthetic"):
        experiments.load("nothing")


STUDY = {
    "code alone": ({"code": "toy"}, None),
    "code no name": ({"code": 3}, "code is 3; give a name or a list of names"),
    "key of the header": ({"code": "toy", "upstreem": "digits"}, "upstreem is not a known key; did you mean upstream?"),
    "upstream for nothing": (
        {"code": ["toy"], "upstream": "digits"},
        "upstream is 'digits', but nothing is left to it: toy has every verb; drop upstream",
    ),
    "block of nothing misspelt": ({"code": "toy", "lables": {}}, "lables is not a known key"),
    "verb misspelt": (
        {"code": ["lame"]},
        "toy has no verb labels; write a function labels in pipeline/experiments/lame.py (which has lables: did ",
    ),
}


@pytest.mark.parametrize("name", STUDY)
def test_a_study_of_ones_own(
    name: str, write_params: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a newcomer writes first: its settings are taken, or one line says what is wrong."""
    home, (header, expected) = tmp_path / "pipeline/experiments", STUDY[name]
    home.mkdir(parents=True)
    code = "from pipeline.core.config import Block\nclass Settings(Block): ...\n"
    code += "".join(f"def {verb}(settings, upstream, pool): ...\n" for verb in experiments.VERBS)
    (home / "toy.py").write_text(code)
    (home / "lame.py").write_text(code.replace("labels", "lables"))
    (tmp_path / "studies/toy.yaml").write_text(json.dumps(header))
    monkeypatch.setattr(experiments, "HOME", home)
    monkeypatch.setattr(experiments, "imported", lambda place: NoSettings)

    def owners() -> list[str]:
        loaded = experiments.load("toy")
        return [loaded.owner(verb).name for verb in experiments.VERBS]

    if expected is None:
        assert owners() == ["toy"] * 6 and experiments.beside_evaluate("toy", "KEYS") == ()
        return
    with pytest.raises(InputError) as caught:
        owners()
    assert str(caught.value).startswith("studies/toy.yaml: ") and expected in str(caught.value)
    assert f"{'toy':20} error: studies/toy.yaml" in study.listing() or "verb" in name
    assert "realizability" in study.listing()


class NoSettings(Block):
    """Of an experiment without numbers."""
