"""What lies in no folder at hand is left out of a study, each with one line, and all that stands on it with it."""

from pathlib import Path

import pytest

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.common import at_hand
from pipeline.experiments.preferences.settings import Pretrained, Settings
from tests.conftest import ROOT


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(ROOT)
    return experiments.load("preferences").settings


def test_sets_that_only_a_mirror_holds_are_left_out_with_a_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("W2S_MIRROR", str(tmp_path))
    found = at_hand.datasets(settings.data)
    absent = settings.data.datasets.keys() - found.keys()
    told = capsys.readouterr().err.splitlines()
    assert found and absent and len(told) == len(absent)
    assert all(f"text set '{name}' is left out: {tmp_path}" in "\n".join(told) for name in absent)
    nothing = settings.data.model_copy(update={"datasets": {name: settings.data.datasets[name] for name in absent}})
    with pytest.raises(InputError, match="has the files of no text set"):
        at_hand.datasets(nothing)


def test_a_rung_takes_with_it_all_that_stands_on_it(settings: Settings) -> None:
    networks = [name for name, model in settings.represent.models.items() if isinstance(model, Pretrained)]
    absent = [rung for rung, view in settings.represent.ladder.items() if view.model in networks]
    less = at_hand.without(settings, settings.data.datasets, absent)
    assert absent and set(settings.represent.ladder) - set(less.represent.ladder) == set(absent)
    gone = {name for name, teacher in settings.weak.teachers.items() if teacher.rung in absent}
    assert gone and set(settings.weak.teachers) - set(less.weak.teachers) == gone
    assert not set(absent) & {*less.strong.rungs, *less.strong.chain}
    assert at_hand.left_out(settings, less) == absent
    assert at_hand.without(settings, settings.data.datasets, []) is settings


def test_without_any_teacher_or_the_student_there_is_one_line(settings: Settings) -> None:
    with pytest.raises(InputError, match="no teacher is left without the rungs"):
        at_hand.without(settings, settings.data.datasets, list(settings.represent.ladder))
    with pytest.raises(InputError, match="strong.focus is"):
        at_hand.without(settings, settings.data.datasets, [settings.strong.focus])
