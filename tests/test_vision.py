"""The study of images from files to cells, on tiny squares and a random network; and what bad input ends in."""

import hashlib
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core import artifacts, cells, experiments
from pipeline.core.errors import InputError
from pipeline.experiments.vision import represent
from pipeline.experiments.vision.common import anatomy, controls
from pipeline.experiments.vision.evaluate import KEYS
from pipeline.models.vision import block, efficientnet
from tests import small_study
from tests.tiny_images import BLOCK, CLASSES, archive, image, members, packed, tiny_study

Block = dict[str, Any]
# Of the wheels' state dicts: sha256 of their sorted lines `name shape`, and the parameters.
WHEELS = {
    "lite0": ("56e888a56e06aa25f3d7c351f1d07cfd52106a7a2d880f25944cceb293419791", 4652008),
    "lite2": ("a1abd22cd69e1e0369fab2035ac774daa453613b6c8da87dbda5b29166f6fde9", 6092072),
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the settings of a tiny study in an empty folder, changed at will."""
    return tiny_study(tmp_path, monkeypatch)


run = partial(small_study.run, "vision")


def test_every_student_has_its_cell_and_its_parts_sum_to_the_whole(
    study: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    file = Path("artifacts/results/vision/cells.csv")
    table, once = cells.read(file), file.read_bytes()
    assert not table.duplicated([*cells.KEYS, *KEYS]).any()
    assert set(table["control"].dropna()) == {*controls.TEACHERS, controls.NO_TEACHER}
    assert set(table["loss"]) == {"cross_entropy", "reverse_kl"}
    assert set(table["strong"]) == {"first", "second", "block"}
    np.testing.assert_allclose(table["misfit"] - table["gain"], table["cross_term"], atol=1e-8)
    for name in ("gain", "misfit"):
        np.testing.assert_allclose(table[f"{name}_right"] + table[f"{name}_wrong"], table[name], atol=1e-6)
    real = cells.without_controls(table)
    assert table["own_gain"].isna().equals(table["control"] == controls.NO_TEACHER)
    taught = real.groupby("weak")["weak_accuracy"].mean()
    assert taught["cnn-48"] > 0.5  # of three classes that differ in colour
    assert set(real.loc[real["strong"] == "first", "n_train"]) == {16, 32}
    # Features and networks lie in the cache: a second run reads no image and trains no teacher.
    monkeypatch.setattr("pipeline.models.vision.reading.represent", lambda *_: pytest.fail("read again"))
    monkeypatch.setattr("pipeline.models.vision.convolutional.taught", lambda *_: pytest.fail("trained again"))
    run()
    assert file.read_bytes() == once


def test_the_hub_gives_the_images_of_the_archive(study: Callable[..., None], tmp_path: Path) -> None:
    """A folder in the format of uoft-cs/cifar10: Parquet with an image and its class, here in mixed order."""
    run("data")
    expected = artifacts.Bundle(artifacts.folder("data", "vision"))["images"]
    pictures, labels = expected["pixels"], expected["labels"]
    order = np.concatenate([np.flatnonzero(labels == label) for label in (2, 0, 1)])
    kinds = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    rows = {"img": [Image.fromarray(pictures[row]) for row in order], "label": labels[order].tolist()}
    folder = tmp_path / "hub" / "plain_text"
    folder.mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features=kinds).to_parquet(folder / "train-00000-of-00001.parquet")
    source = {"name": str(folder), "revision": "0" * 40, "split": "train", "image": "img", "label": "label"}
    study(lambda block: block["data"].update(source=source))
    run("data")
    found = artifacts.Bundle(artifacts.folder("data", "vision"))["images"]
    np.testing.assert_array_equal(found["pixels"], pictures)
    np.testing.assert_array_equal(found["labels"], labels)
    study(lambda block: block["data"]["source"].update(image="image"))
    with pytest.raises(InputError, match="no column 'image', only img, label; correct data.source.image"):
        run("data")


def other(change: Callable[[Image.Image], Image.Image]) -> bytes:
    return packed(change(image(0, np.random.default_rng(1))))


def cut_jpeg() -> bytes:
    content = io.BytesIO()
    image(0, np.random.default_rng(1)).save(content, "jpeg")
    return content.getvalue()[:-10]


FIRST = "train/blue/0000.png"
BAD = {
    "size": ({FIRST: other(lambda one: one.resize((9, 8)))}, f"{FIRST} has 9 x 8 pixels, not 8 x 8"),
    "mode": ({FIRST: other(lambda one: one.convert("L"))}, f"{FIRST} has the mode L, not RGB"),
    "no image": ({FIRST: b"text"}, f"{FIRST} is no image that can be read"),
    "cut": ({FIRST: cut_jpeg()}, f"{FIRST} cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_image_that_is_none_of_the_kind_ends_the_run(case: str, study: Callable[..., None], tmp_path: Path) -> None:
    changed, message = BAD[case]
    source = archive(tmp_path / "data" / "bad.zip", members() | changed)
    study(lambda block: block["data"].update(source=source))
    with pytest.raises(InputError, match=message):
        run("data")


def test_a_class_has_its_images(study: Callable[..., None], tmp_path: Path) -> None:
    without = {name: content for name, content in members().items() if "green" not in name}
    source = archive(tmp_path / "data" / "bad.zip", without)
    study(lambda block: block["data"].update(source=source))
    with pytest.raises(InputError, match="there is no image of class 'green'; add some, or correct data.classes in"):
        run("data")
    source = archive(tmp_path / "data" / "bad.zip", without | {"train/green/0.png": members()[FIRST]})
    study(lambda block: block["data"].update(source=source))
    with pytest.raises(InputError, match="'green' has 1 images, fewer than the 70 asked for; lower data.per_class"):
        run("data")
    (tmp_path / "data" / "bad.zip").write_bytes(b"none")
    study(lambda block: block["data"]["source"].update(sha256=hashlib.sha256(b"none").hexdigest()))
    with pytest.raises(InputError, match="bad.zip is no zip archive"):
        run("data")


MISTAKES = (
    (("weak", "labels"), [49], "weak.labels asks for 49 of 48 images"),
    (("strong", "epochs"), [2, 1], "strong.epochs is .2, 1.; give them rising"),
    (("represent", "rungs", "block", "features"), 20, "features is 20, but a block that is trained makes 1280"),
    (
        ("represent", "rungs", "first", "block"),
        {"epochs": [1], **BLOCK},
        "rungs.first has a block, but students of the first are heads",
    ),
    (("weak", "channels"), [4, 5, 6, 7, 8, 9, 10], "7 times, and nothing is left; give at most"),
    (("represent", "rungs", "first", "network"), "none", "'none', not among networks"),
    (("data", "teacher"), 150, "leave at least 100"),
    (("data", "floor"), 0.09, "floor 0.09 times 12 classes leaves nothing"),
)


@pytest.mark.parametrize(("keys", "value", "message"), MISTAKES, ids=[keys[-1] for keys, *_ in MISTAKES])
def test_settings_that_cannot_be(keys: tuple[str, ...], value: Any, message: str, study: Callable[..., None]) -> None:
    def change(block: Block) -> None:
        if keys[-1] == "floor":
            block["data"]["classes"] = [f"class {number}" for number in range(12)]
        for key in keys[:-1]:
            block = block[key]
        block[keys[-1]] = value

    study(change)
    with pytest.raises(InputError, match=message):
        experiments.load("vision")


@pytest.mark.parametrize("size", WHEELS)
def test_the_network_takes_the_state_dict_of_the_wheel(size: str) -> None:
    """All names and shapes, as they were read in the wheel; with the wheel's own code the logits were the same."""
    digest, parameters = WHEELS[size]
    network = efficientnet.EfficientNetLite(size)
    assert sum(each.numel() for each in network.parameters()) == parameters
    held = {wheel_name(name): value for name, value in network.state_dict().items()}
    lines = "\n".join(f"{name} {tuple(value.shape)}" for name, value in sorted(held.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
    marked = {name: torch.full_like(value, 3) for name, value in held.items()}
    assert all((value == 3).all() for value in efficientnet.loaded(size, marked).state_dict().values())
    with pytest.raises(RuntimeError, match="state_dict"):
        efficientnet.loaded(size, marked | {"_more.weight": torch.zeros(1)})


def wheel_name(name: str) -> str:
    """`blocks.0.bn1.weight` -> `_blocks.0._bn1.weight`: modules have an underscore there, parameters have not."""
    *modules, parameter = name.split(".")
    return ".".join([*(part if part.isdecimal() else f"_{part}" for part in modules), parameter])


def test_a_last_block_is_trained_and_its_network_is_not(generator: np.random.Generator) -> None:
    """Two kinds of maps are told apart, looks lie on one path, and the network that it starts from stays as it is."""
    network = efficientnet.untrained("lite0", 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    labels = np.arange(48) % 2
    maps = (generator.normal(size=(48, 192, 2, 2)) + labels[:, None, None, None]).astype(np.float16)
    orders = [generator.permutation(48) for _ in range(4)]
    options = {"batch_size": 8, "learning_rate": 1e-3, "weight_decay": 0.0}

    def follow(*looks: int) -> np.ndarray:
        found = block.follow(maps, np.eye(2)[labels], orders, looks, {"all": maps}, network, **options)
        return found["all"]

    along = follow(1, 4)
    np.testing.assert_array_equal(along[0], follow(1)[0])
    assert along.shape == (2, 48, 2) and np.abs(along.sum(axis=-1) - 1).max() < 1e-12
    assert along[1][np.arange(48), labels].min() > 0.9
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    pretrained = block.Student(network, 2)
    with torch.inference_mode():
        expected = network.pooled(torch.from_numpy(maps).float())
        assert torch.equal(pretrained.eval().body.pooled(torch.from_numpy(maps).float()), expected)
    with pytest.raises(FloatingPointError, match="diverged"):
        block.follow(maps, np.eye(2)[labels], orders, [1], {}, network, **options | {"learning_rate": float("inf")})


def test_padding_is_that_of_tensorflow() -> None:
    """What is lacking, halved; an odd row goes below and to the right.  The sum of what each window sees."""
    window = efficientnet.Same(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(window.weight)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    with torch.inference_mode():
        assert window(image).flatten().tolist() == [45, 39, 66, 50]  # rows 0-2 and 2-4, columns likewise
        assert window(image[..., :3, :3]).shape == (1, 1, 2, 2)


def test_anatomy_by_hand(generator: np.random.Generator) -> None:
    """Two images, the teacher right on the first; sums written out."""
    truth = np.eye(3)[[0, 1]]
    teacher, student, ceiling = (generator.dirichlet(np.ones(3), 2) for _ in range(3))
    teacher[0], teacher[1] = (0.5, 0.3, 0.2), (0.6, 0.1, 0.3)
    found = anatomy.anatomy(truth, teacher, student, ceiling)
    apart = np.log(student / teacher)
    assert found["gain_right"] == pytest.approx(apart[0, 0] / 2)
    assert found["gain_wrong"] == pytest.approx(apart[1, 1] / 2)
    assert found["misfit_wrong"] == pytest.approx(sum(student[1] * apart[1]) / 2)
    assert found["gain_reachable"] == pytest.approx((ceiling * apart).sum() / 2)
    assert found["dual_misfit"] == pytest.approx((teacher * -apart).sum() / 2)
    away = [(model * np.log(model / ceiling)).sum() / 2 for model in (teacher, student)]
    assert found["dual_gain"] == pytest.approx(away[0] - away[1])
    same = anatomy.anatomy(truth, teacher, teacher, ceiling)
    assert same["explained"] == 1 and same["misfit_right"] == same["gain_reachable"] == same["dual_gain"] == 0


def test_a_feature_that_never_varies_is_zero(generator: np.random.Generator) -> None:
    features = np.column_stack([generator.normal(5, 3, 50), np.full(50, 7.1)]).astype(np.float32)
    made = represent.standardised(features)
    assert made[:, 0].std() == pytest.approx(1, abs=1e-5) and made[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert (made[:, 1] == 0).all()
