"""Essays from a table to cells, on made-up texts and a tiny network; and the domains side by side."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.core import artifacts, cells, experiments, stage
from pipeline.core.errors import InputError
from pipeline.experiments.regression import represent
from pipeline.models import ridge
from pipeline.summary import domains, tables
from pipeline.summary.domains import Domain, Pair
from pipeline.theory.intervals import Estimate
from tests import small_study, toy_cells
from tests.conftest import Tiny
from tests.tiny_language import REVISION, WORDS, save_model

Block = dict[str, Any]
Write = Callable[..., None]
PROMPTS, EACH = 3, 48


def table(stream: np.random.Generator) -> pd.DataFrame:
    """Essays whose score rises with their length, on another scale for each prompt; three of each are one too many."""
    rows = []
    for prompt in range(PROMPTS):
        for number in range(EACH + 3):
            length = int(stream.integers(3, 30))
            text = f"{number} " + " ".join(stream.choice(WORDS[:9], length)) + "."
            score = 10**prompt * (length + stream.normal(scale=3))
            rows.append({"essay_set": str(prompt), "essay": f"p{prompt} {text}", "domain1_score": f"{score:.3f}"})
    return pd.DataFrame(rows)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the study at a tiny size in an empty folder: its block and its table may be changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_WORKERS", "1")
    monkeypatch.setenv("W2S_MIRROR", str(tmp_path / "mirror"))

    def write(change: Callable[[Block], Any] = lambda block: None, essays: pd.DataFrame | None = None) -> None:
        params, place = Tiny(), tmp_path / "data/essays.tsv"
        place.parent.mkdir(exist_ok=True)
        essays = table(np.random.default_rng(0)) if essays is None else essays
        essays.to_csv(place, sep="\t", index=False)
        block = params["essays"]
        block["data"].update(
            seeds=[0, 1],
            prompts=PROMPTS,
            rows=PROMPTS * EACH,
            source={"path": place.name, "sha256": artifacts.sha256(place)},
        )
        views = {"low": 0, "middle": 1, "high": 2}
        ladder = {name: block["represent"]["ladder"][name] for name in ("surface", "hashed")}
        ladder |= {name: {"model": "tiny", "layer": layer, "pooling": "mean"} for name, layer in views.items()}
        model = str(save_model(tmp_path / "model"))
        block["represent"].update(
            models={"tiny": {"name": model, "revision": REVISION, "licence": "MIT"}}, ladder=ladder, max_tokens=16
        )
        block["weak"]["teachers"] = {
            "surface": {"rung": "surface", "labels": 40},
            "low-few": {"rung": "low", "labels": 12},
        }
        ladder["both"] = {"joined": ["middle", "surface"]}
        block["strong"].update(rungs=["both", "middle", "high"], sizes=[20, 30])
        change(block)
        params.write(tmp_path)

    return write


def run() -> pd.DataFrame:
    small_study.run("essays")
    return small_study.table("essays", Path())


bundle = partial(small_study.bundle, "essays", Path())


def test_essays_become_cells_on_all_labels_and_on_fewer(study: Write) -> None:
    study()
    found = run()
    columns = [*cells.KEYS, *experiments.beside_evaluate("essays", "KEYS")]
    assert not found.duplicated(columns).any()
    np.testing.assert_allclose(found["misfit"] - found["gain"], 2 * found["cross_term"], atol=1e-8)
    real = cells.without_controls(found)
    assert real.groupby("panel").size().to_dict() == {"joined": 2 * 2, "main": 2 * 2 * 2, "scaling": 2 * 2 * 2 * 2}
    assert set(real["n_train"]) == {20, 30, 48} and set(real["weak_size"]) == {6, 16}
    assert set(cells.controls(found)["control"]) == {"random", "shuffled", "constant", "itself", "teachers_labels"}
    assert list(dict.fromkeys(real["weak"])) == ["surface", "low-few"]  # as in the settings, not as bundles are read
    assert (real["train_gain"] >= real["train_bound"] - 1e-9).all()
    rows, parts = bundle("data")["rows"], bundle("data")["0"]
    assert rows["prompt"].value_counts().tolist() == [EACH] * PROMPTS
    assert sorted(rows["prompt"].head(PROMPTS)) == ["0", "1", "2"]  # any beginning is even
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(PROMPTS * EACH))
    features = bundle("represent")["high"]["features"]
    means = pd.DataFrame(features).groupby(rows["prompt"].to_numpy()).mean()
    np.testing.assert_allclose(means, 0, atol=1e-5)
    both = bundle("represent")["both"]["features"]
    assert both.shape == (len(rows), 16 + 6)
    own = parts["weak"][:20]
    taught = bundle("labels")["0"]["surface"][None, :20]
    expected = ridge.predict(features, ridge.fit(features[own], taught).heads)[0]
    np.testing.assert_allclose(bundle("strong")["0"]["high/surface/of-20"], expected)
    tokens = json.loads(Path("artifacts/represent/essays/report.json").read_text())["tiny"]
    assert 0 < tokens["truncated"] < len(rows)


def test_scores_are_standardised_within_their_prompt_over_all_its_essays(study: Write) -> None:
    study()
    stage.run("data", "essays")
    rows, essays = bundle("data")["rows"], table(np.random.default_rng(0)).astype({"domain1_score": float})
    own = essays[essays["essay_set"] == "2"].set_index("essay")["domain1_score"]
    expected = (own - own.mean()) / own.to_numpy().std()
    drawn = rows[rows["prompt"] == "2"].set_index("text")["label"]
    np.testing.assert_allclose(drawn, expected[drawn.index])


def one_score(essays: pd.DataFrame) -> pd.DataFrame:
    return essays.assign(domain1_score=essays["domain1_score"].where(essays["essay_set"] != "1", "4"))


FAULTS: dict[str, tuple[Callable[[Block], Any], Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "another number of prompts": (lambda b: b["data"].update(prompts=4), lambda e: e, "3 different prompts under"),
    "too few of a prompt": (
        lambda b: b["data"].update(rows=180),
        lambda e: e,
        "prompt 0 has 51 essays, fewer than the 60",
    ),
    "one score": (lambda b: None, one_score, "all essays of prompt 1 have the score 4"),
    "uneven rows": (lambda b: b["data"].update(rows=100), lambda e: e, "a multiple of the 3 prompts"),
    "more labels than rows": (lambda b: b["strong"].update(sizes=[50]), lambda e: e, r"strong.*sizes.* is 50"),
    "no score": (lambda b: None, lambda e: e.assign(domain1_score="A"), "which is not a number"),
    "no column": (lambda b: b["data"].update(prompt="set"), lambda e: e, "no column 'set'"),
    "no file": (
        lambda b: b["data"]["source"].update(path="no.tsv"),
        lambda e: e,
        "take training_set_rel3.tsv of Kaggle",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line(name: str, study: Write) -> None:
    change, spoil, words = FAULTS[name]
    study(change, spoil(table(np.random.default_rng(0))))
    with pytest.raises(InputError, match=words) as caught:
        stage.run("data", "essays")
    assert "\n" not in str(caught.value)


def test_surface_statistics_order_texts_by_what_they_count() -> None:
    texts = ("One, two. Three!", "a a a a", "longest words, indeed, here. Really? Yes.")
    found = represent.surface(texts, ("words", "distinct", "sentences", "commas", "word_length"))
    counts = np.array([[3, 3, 2, 1, 14 / 3], [4, 1, 0, 0, 1], [6, 6, 3, 2, 36 / 6]])
    logs = np.column_stack([np.log1p(counts[:, :4]), counts[:, 4]])
    np.testing.assert_allclose(found, (logs - logs.mean(axis=0)) / logs.std(axis=0), atol=1e-6)
    joined = represent.side_by_side([found, 100 * logs])
    np.testing.assert_allclose([part.var(axis=0).sum() for part in np.split(joined, 2, axis=1)], 1)
    hashed = represent.hashed(texts, 32)
    np.testing.assert_allclose(np.linalg.norm(hashed, axis=1)[[0, 2]], 1, atol=1e-6)


def pair(distance: float, rho: float) -> Pair:
    value = 1 - 2 * rho * distance
    return Pair(("toy",), Estimate(value, value, value, 5), distance, True)


def test_a_pair_is_predicted_by_the_others() -> None:
    alike = [pair(distance, 0.3) for distance in (0.1, 0.5, 2.0)]
    np.testing.assert_allclose(domains.predicted(alike), [one.ratio.value for one in alike])
    odd = domains.predicted([*alike, pair(1.0, 0.9)])
    assert odd[-1] == pytest.approx(1 - 2 * 0.3)  # its own rho does not enter
    assert np.isnan(domains.predicted(alike[:1])).all()
    assert domains.predicted([*alike, pair(0.0, 0.0)])[-1] == 1  # within reach, whatever rho


def test_domains_without_cells_and_pairs_without_misfit_are_passed_over() -> None:
    table = toy_cells.essays()
    read = tables.parted("published/essays", table.assign(misfit=table["misfit"].where(table["weak"] != "words", 0.0)))
    domain = next(one for one in domains.DOMAINS if one.table == "published/essays")
    assert {one.pair[1] for one in domains.measured(domain, read, 0.95)} == {"surface", "minilm"}
    assert {one.pair[-1] for one in domains.controls(domain, read, 0.95)} == {
        "random",
        "shuffled",
        "constant",
        "itself",
    }
    assert domains.measured(domain._replace(table="published/none"), read, 0.95) == []


def test_the_distance_is_that_of_the_class_where_it_is_known() -> None:
    table = toy_cells.essays().query("control.isna() and panel == 'main'")
    domain = Domain("toy", "essays", lambda cells: cells, ("weak",))
    for known in (True, False):
        given = table if known else table.assign(epsilon=np.nan)
        found = domains.measured(domain, {"essays": given}, 0.95)[0]
        own = table[table["weak"] == found.pair[0]]
        least = own["epsilon"] if known else own["ceiling_error"]
        assert found.is_minimum is known
        assert found.distance == pytest.approx(np.sqrt(least.mean() / own["misfit"].mean()))
        assert found.ratio.value == pytest.approx(own["gain"].mean() / own["misfit"].mean())
