"""Pools of teachers: the batched heads against autograd, corruptions by hand, what RAVEN does to a pool, bad input."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.core import artifacts, cells, experiments, stage
from pipeline.core.errors import InputError
from pipeline.core.experiments import VERBS
from pipeline.experiments.shift import plans
from pipeline.experiments.shift.data import scaled
from pipeline.models import corruptions
from pipeline.models.softmax import pooled
from pipeline.models.softmax.pooled import Rule
from pipeline.summary import shift
from tests.conftest import Tiny
from tests.tiny_images import CLASSES, PER_CLASS, SIDE, archive, members
from tests.tiny_language import REVISION, preference_set, save_model

RATE = 0.05
RULES = (
    Rule((0,)),
    Rule((0, 1, 2), 0.1),
    Rule((0, 1, 2), 0.1, easy=0.5),
    Rule((0, 2), 0.1, repair=True, start=(0.7, 0.3)),
    Rule((0, 1, 2), 0.1, normalised=True),
    Rule((0, 1), auxiliary="confidence"),
    Rule((1, 2), auxiliary="adaptive"),
)


def drawn(generator: np.random.Generator, samples: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 5) and labels of three teachers (3, n, 4)."""
    return generator.normal(size=(samples, 5)).astype(np.float32), generator.dirichlet(np.ones(4), (3, samples))


def plain(x: torch.Tensor, p: torch.Tensor, rule: Rule, order: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """One head and its weights by torch's own optimisers, one backward pass for both."""
    head = torch.zeros(x.shape[1], p.shape[2], requires_grad=True)
    first = rule.start or [1 / len(rule.pool)] * len(rule.pool)
    w = torch.tensor(first, requires_grad=True)
    steps = order.shape[0] * -(-len(x) // batch)
    adam, sgd = torch.optim.Adam([head], lr=RATE), torch.optim.SGD([w], lr=rule.rate)
    cosine, step = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps), 0
    for epoch, visited in enumerate(order):
        easy = epoch < round(rule.easy * len(order))
        for rows in torch.from_numpy(visited.astype(np.int64)).split(batch):
            told = p[list(rule.pool)][:, rows]
            if easy:
                classes = told.argmax(-1)
                agreed = (classes == classes[0]).all(0)
                rows, told = rows[agreed], told[:, agreed]
            logq = torch.log_softmax(x[rows] @ head, -1)
            target = (w[:, None, None] * told).sum(0)
            if rule.normalised:
                target = target / target.sum(-1, keepdim=True)
            with torch.no_grad():
                own = torch.eye(p.shape[2])[logq.argmax(-1)]
                a = -(own * logq).sum(-1, keepdim=True)
                b = -(torch.eye(p.shape[2])[target.argmax(-1)] * logq).sum(-1, keepdim=True)
                share = {
                    "": torch.zeros_like(a),
                    "confidence": torch.full_like(a, 0.5 * min(1.0, step / steps / 0.2)),
                    "adaptive": a.exp() / (a.exp() + b.exp()),
                }[rule.auxiliary]
            target = (1 - share) * target + share * own
            loss = -(target * logq).sum(-1).sum() / max(len(rows), 1)
            adam.zero_grad(), sgd.zero_grad()
            loss.backward()
            if rule.repair:
                w.grad -= -(told * told.log()).sum(-1).mean(-1)
            adam.step(), cosine.step()
            step += 1
            if not easy:
                sgd.step()
                with torch.no_grad():
                    w.copy_(w.clamp_min(1e-6) / w.clamp_min(1e-6).sum())
    return head.detach().numpy(), w.detach().numpy()


def test_batched_heads_and_weights_follow_autograd(generator: np.random.Generator) -> None:
    x, p = drawn(generator)
    order = np.stack([generator.permutation(30) for _ in range(4)])
    found = pooled.fit(x, p, RULES, order, [4], batch_size=8, learning_rate=RATE)
    for place, rule in enumerate(RULES):
        head, weights = plain(torch.from_numpy(x), torch.from_numpy(p).float(), rule, order, 8)
        np.testing.assert_allclose(found.heads[0, place], head, atol=2e-5, err_msg=f"{rule}")
        np.testing.assert_allclose(found.weights[-1, place, list(rule.pool)], weights, atol=2e-5, err_msg=f"{rule}")
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-6)


def test_a_pool_leaves_the_simplex_of_no_rule_and_names_what_is_wrong(generator: np.random.Generator) -> None:
    x, p = drawn(generator)
    order = np.arange(30)[None]
    for rule, words in (
        (Rule(()), r"pool \(\) names no rows of the 3"),
        (Rule((0, 3)), r"pool \(0, 3\) names no rows of the 3"),
        (Rule((0, 1), easy=1.0), "easy is 1.0; .*at least 0 and below 1"),
        (Rule((0, 1), start=(0.7, 0.7)), "off the simplex of the 2 teachers"),
        (Rule((0, 1), start=(1.5, -0.5)), "off the simplex"),
        (Rule((0, 1), start=(1.0,)), "off the simplex"),
    ):
        with pytest.raises(ValueError, match=words):
            pooled.fit(x, p, [rule], order, [1], batch_size=8, learning_rate=RATE)


def test_a_confident_teacher_wins_by_cross_entropy_and_not_by_divergence(generator: np.random.Generator) -> None:
    """Two teachers off by as much from the student, one sure of itself: the entropy is all that tells them apart."""
    x = np.ones((64, 1), np.float32)
    sure, unsure = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    p = np.broadcast_to(np.stack([sure, unsure])[:, None], (2, 64, 2))
    order = np.stack([generator.permutation(64) for _ in range(20)])
    rules = (Rule((0, 1), 0.02), Rule((0, 1), 0.02, repair=True))
    found = pooled.fit(x, p, rules, order, [20], batch_size=16, learning_rate=RATE).weights[:, :, 0]
    assert found[-1, 0] > 0.99 and found[-1, 1] < 0.9


def test_matched_teachers_have_one_entropy_and_keep_their_classes(generator: np.random.Generator) -> None:
    labels = np.stack([generator.dirichlet(np.full(5, size), 200) for size in (0.2, 1.0, 5.0)])
    found = pooled.matched(labels)
    level = np.mean([pooled.mean_entropy(own) for own in labels])
    np.testing.assert_allclose([pooled.mean_entropy(own) for own in found], level, rtol=1e-6)
    np.testing.assert_array_equal(found.argmax(-1), labels.argmax(-1))


def test_co_supervision_takes_the_nearest_teacher_and_drops_what_the_student_denies() -> None:
    student = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    teachers = np.array([[[0.8, 0.1, 0.1], [0.9, 0.05, 0.05]], [[0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]])
    told, kept = plans.assigned(student, teachers, kept=2)
    np.testing.assert_array_equal(told, [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]])
    np.testing.assert_array_equal(kept, [True, False])


def test_statistics_of_weights_and_accuracies_by_hand() -> None:
    known = {"domain": "d", "seed": 0, "varied": "default"}
    rows = [
        known | {"method": "raven", "weak_accuracy": accuracy, "weight": weight, "student_accuracy": 0.6}
        for accuracy, weight in ((0.5, 0.2), (0.6, 0.7), (0.7, 0.1))
    ]
    cells = pd.DataFrame(rows)
    assert shift.most_weight_of_best(cells) == 0.1
    assert shift.weight_rank_correlation(cells) == pytest.approx(-0.5)
    assert np.isnan(shift.weight_rank_correlation(cells.assign(weight=0.25)))
    others = [known | {"method": name, "student_accuracy": 0.4, "weight": np.nan} for name in shift.BASELINES]
    others.append(known | {"method": "raven", "student_accuracy": 0.5, "weight": np.nan})
    assert shift.improvement_over_baselines(pd.concat([cells, pd.DataFrame(others)])) == pytest.approx(0.25)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 9, 6, 3)])
@pytest.mark.parametrize("kind", corruptions.CORRUPTIONS)
def test_corruptions_take_any_shape_and_grow_with_severity(kind: str, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape)
    far = []
    for severity in range(1, 6):
        found = corruptions.corrupted(images, f"{kind}-{severity}", np.random.default_rng(1))
        assert found.shape == shape and found.min() >= 0 and found.max() <= 1
        far.append(np.square(found - images).mean())
    assert far == sorted(far) and far[0] > 0


def test_corruptions_by_hand() -> None:
    stream = np.random.default_rng(0)
    image = np.arange(16.0).reshape(1, 4, 4) / 15
    halves = image.reshape(2, 2, 2, 2).mean(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(corruptions.pixelation(image, 3, stream)[0], halves)
    np.testing.assert_allclose(corruptions.contrast(image, 5, stream), 0.5 + 0.1 * (image - 0.5))
    np.testing.assert_allclose(corruptions.blur(np.full((1, 8, 8), 0.3), 5, stream), 0.3)
    np.testing.assert_array_equal(corruptions.corrupted(image, "clean", stream), image)


def test_images_of_another_shape_may_be_given() -> None:
    images, classes = scaled(np.random.default_rng(0).integers(0, 255, (6, 5, 7, 3)), np.array([3, 9, 3, 9, 9, 3]))
    assert images.min() == 0 and images.max() == 1 and classes.tolist() == [0, 1, 0, 1, 1, 0]
    with pytest.raises(ValueError, match=r"shape \(6, 35\) for 6 labels; give \(n, h, w\)"):
        scaled(np.zeros((6, 35)), np.zeros(6))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teachers": ["clean", "fog-3"]}, r"images.teachers\[1\] is 'fog-3'; 'fog-3' names no corruption; take clean"),
        ({"teachers": ["clean", "noise-6"]}, "'noise-6' has the severity 6; severities are 1 to 5"),
        ({"teachers": ["clean", "noise"]}, "'noise' names no corruption"),
        (
            {"teachers": ["clean"]},
            r"images.teachers is \['clean'\]; fewer than two teachers are no pool; name at least one more",
        ),
    ],
)
def test_a_corruption_that_does_not_exist_is_one_line(changes: dict, words: str, write_params: Callable) -> None:
    refused(write_params, words, **{f"shift__data__images__{key}": value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"data__synthetic__cases__source__strengths": [0.5]},
            r"source.strengths is \[0.5\]; fewer than two teachers are no pool",
        ),
        ({"strong__easy": 1.0}, "strong.easy is 1.0; input should be less than 1"),
        ({"strong__shares": [0.0, -0.1]}, r"strong.shares\[1\] is -0.1; .*greater than or equal to 0"),
        ({"strong__start": {"synthetic": [0.5, 0.6, 0.2]}}, r"start.synthetic is \[0.5, 0.6, 0.2\], .*off the simplex"),
        ({"strong__start": {"synthetic": [0.5, 0.5]}}, "start.synthetic has 2 weights for the 3 teachers of source"),
        ({"strong__start": {"synthetic": [float("nan"), 0.5, 0.5]}}, "off the simplex"),
        ({"strong__start": {"nowhere": [0.5, 0.5]}}, "start has nowhere, which is no panel; choose from images, synth"),
        ({"data__synthetic__seen": 7}, "seen is 7, more than the 6 coordinates of core; lower it"),
        ({"weak__training": {}}, "weak.training has no synthetic; add it"),
    ],
)
def test_settings_that_cannot_hold_are_one_line(changes: dict, words: str, write_params: Callable) -> None:
    refused(write_params, words, **{f"shift__{key}": value for key, value in changes.items()})


def refused(write_params: Callable[..., None], words: str, **changes: object) -> None:
    """The study is not loaded, and says why."""
    write_params(**changes)
    with pytest.raises(InputError, match=f"^studies/shift.yaml: .*{words}"):
        experiments.load("shift")


def test_too_few_images_are_told(write_params: Callable[..., None]) -> None:
    write_params(shift__data__images__student=1700)
    with pytest.raises(InputError, match="data.images takes 4 x 30 and 1700 of 1797 images, .*leave 100: lower"):
        stage.run("data", "shift")


@pytest.fixture(scope="module")
def on_pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """Cells of the study on preferences with a tiny network, sets of pairs and sizes."""
    home = tmp_path_factory.mktemp("pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setenv("W2S_WORKERS", "1")
        params, model = Tiny(), save_model(home / "model")
        block = params["shift_preferences"]
        sets = {
            name: preference_set(home / "data", {"truth": 30, "weak": 40, "test": 40})
            for name in block["data"]["domains"]
        }
        block["data"].update(splits=[0], datasets=sets)
        block["represent"].update(
            models={"tiny": {"name": str(model), "revision": REVISION, "licence": "MIT"}},
            ladder={f"layer-{k}": {"model": "tiny", "layer": k, "pooling": "mean"} for k in range(3)},
            teachers=["layer-0", "layer-1"],
            middle="layer-1",
            student=["layer-1", "layer-2"],
            max_tokens=24,
        )
        for verb in ("weak", "strong"):
            block[verb]["training"] = {"preferences": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01}}
        params.write(home)
        for verb in VERBS:
            stage.run(verb, "shift_preferences")
        yield cells.read(home / "artifacts/results/shift_preferences/cells.csv")


@pytest.fixture
def on_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the settings of the study on photographs: coloured squares, a network with random weights; changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_WORKERS", "1")
    params, source = Tiny(), archive(tmp_path / "data" / "squares.zip", members())

    def write(**changes: object) -> None:
        block = params["shift_images"]
        sizes = {"per_class": PER_CLASS, "splits": [0], "teacher": 20, "student": 50, "teachers": ["clean", "blur-1"]}
        domains = {"own": {"corruptions": ["clean", "blur-1"], "shift": "in"}}
        domains |= {"noise": {"corruptions": ["noise-1"], "shift": "out"}}
        block["data"].update(source=source, classes=[*CLASSES], side=SIDE, domains=domains, **(sizes | changes))
        block["represent"].update(network={"size": "lite0", "seed": 0}, side=32, weak=20, middle=30, strong=60)
        for verb in ("weak", "strong"):
            block[verb]["training"] = {"images": {"epochs": 8, "batch_size": 8, "learning_rate": 0.02}}
        params.write(tmp_path)

    write()
    return write


def test_heads_on_photographs_are_measured_on_both_domains(on_photographs: Callable[..., None]) -> None:
    for verb in VERBS:
        stage.run(verb, "shift_images")
    found = cells.read(Path("artifacts/results/shift_images/cells.csv"))
    assert set(found["domain"]) == {"own", "noise"} and set(found["panel"]) == {"images"}
    drawn = artifacts.Bundle(Path("artifacts/data/shift_images"))["images-noise-s0"]
    every = np.concatenate([drawn[f"rows.{part}"] for part in ("source", "student", "test")])
    assert sorted(every) == list(range(len(CLASSES) * PER_CLASS))  # no image is in two parts
    assert set(drawn["under.test"]) == {2} and set(drawn["under.source"]) == {0, 1}
    # The colour is in the mean of a channel, which survives a random network: a student of true labels finds it.
    gold = found[(found["method"] == "gold") & (found["domain"] == "own")]
    assert (gold["student_accuracy"] > 0.45).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"student": 100}, "20 and student = 100 leave 70 of 210 images for the test; leave 100"),
        ({"teachers": ["clean"]}, "fewer than two teachers"),
        ({"teachers": ["clean", "fog-1"]}, r"data.teachers\[1\] is 'fog-1'; 'fog-1' names no corruption"),
    ],
)
def test_photographs_that_do_not_suffice(changes: dict, words: str, on_photographs: Callable[..., None]) -> None:
    on_photographs(**changes)
    with pytest.raises(InputError, match=f"^studies/shift_images.yaml: .*{words}"):
        experiments.load("shift_images")


def test_heads_on_pairs_are_measured_on_both_domains(on_pairs: pd.DataFrame) -> None:
    students = on_pairs[on_pairs["weight"].isna() & (on_pairs["varied"] == "default")]
    assert set(students["domain"]) == {"helpful", "harmless"}
    assert {"raven", "raven_kl", "raven_tempered", "uniform", "bootstrapping", "cosupervision"} <= set(
        students["method"]
    )
    followed = on_pairs[on_pairs["weight"].notna()].groupby(["domain", "method", "epoch"])["weight"].sum()
    np.testing.assert_allclose(followed, 1, atol=1e-5)
    # One word tells the better answer: a student of true labels finds it.
    assert (students.loc[students["method"] == "gold", "student_accuracy"] > 0.8).all()
