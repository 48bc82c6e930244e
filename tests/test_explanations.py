"""Networks that learn from explanations, their two worlds, and settings that cannot be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments import explanations
from pipeline.models import explained
from pipeline.models.explained import Recipe

SIZES = (6, 8, 8, 3)


@pytest.fixture
def batch(generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs, classes and masks of two networks."""
    x = generator.standard_normal((2, 5, 6), dtype=np.float32)
    y, mask = generator.integers(3, size=(2, 5)), generator.random((2, 5, 6)) < 0.5
    return torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(mask.astype(np.float32))


def stated() -> explanations.Settings:
    """Settings of the study."""
    return experiments.load("explanations", ROOT / "params.yaml").settings


def training(**changes: object) -> explained.Training:
    return stated().weak.training.model_copy(update={"width": 8, **changes})


def test_interval_bounds_hold_for_every_move_and_are_reached_without_one(batch: tuple[torch.Tensor, ...]) -> None:
    x, y, mask = batch
    layers = explained.initial((0, 1), SIZES)
    reach = 0.7 * mask
    low, high = explained.bounds(layers, x, reach)
    torch.manual_seed(0)
    moves = [x + reach * (2 * torch.rand(x.shape) - 1) for _ in range(200)]
    moves.append(explained.attacked(layers, x, y, reach, 5))
    for moved in moves:
        outputs = explained.logits(layers, moved)
        assert (outputs >= low - 1e-5).all() and (outputs <= high + 1e-5).all()
    for end in explained.bounds(layers, x, 0 * mask):
        torch.testing.assert_close(end, explained.logits(layers, x))


def test_an_attack_stays_in_reach_and_raises_the_loss(batch: tuple[torch.Tensor, ...]) -> None:
    x, y, mask = batch
    layers = explained.initial((0, 1), SIZES)
    moved = explained.attacked(layers, x, y, 0.5 * mask, 5)
    assert ((moved - x).abs() <= 0.5 * mask + 1e-6).all() and (moved != x).any()
    loss = [explained.entropy(explained.logits(layers, each), y) for each in (x, moved)]
    assert loss[1] > loss[0]


def test_slopes_are_the_masked_gradient_of_the_labels_log_probability(batch: tuple[torch.Tensor, ...]) -> None:
    x, y, mask = (each.double() if each.is_floating_point() else each for each in batch)
    layers = [(weight.double(), bias.double()) for weight, bias in explained.initial((0, 1), SIZES)]

    def log(moved: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(explained.logits(layers, moved), dim=-1).gather(-1, y[..., None])[..., 0]

    steps = 1e-6 * torch.eye(6, dtype=torch.float64)
    gradient = torch.stack([(log(x + step) - log(x - step)) / 2e-6 for step in steps], dim=-1)
    torch.testing.assert_close(
        explained.slopes(layers, x, y, mask), (gradient * mask).norm(dim=-1), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("method", explained.METHODS)
def test_networks_of_a_batch_do_not_feel_each_other(method: str, batch: tuple[torch.Tensor, ...]) -> None:
    x, y, mask = (each.numpy() for each in batch)
    recipe, settings = Recipe(method, 1.0, 0.5), training(steps=4, batch_size=3)
    both = explained.train(recipe, x, y, mask, (0, 1), 3, settings)
    alone = explained.train(recipe, x[1:], y[1:], mask[1:], (1,), 3, settings)
    for (first, _), (second, _) in zip(both, alone, strict=True):
        torch.testing.assert_close(first[1:], second, atol=1e-6, rtol=1e-4)


def test_a_decoy_gives_the_class_away_where_it_agrees_and_a_mask_covers_it() -> None:
    made = explanations.digits(0, stated().data)
    for name, agrees in (("agreeing", True), ("random", False), ("test", False), ("same", True)):
        x, y, mask = (made[f"{kind}.{name}"] for kind in ("x", "y", "mask"))
        shown = x[mask].reshape(len(x), -1)
        assert (shown == shown[:, :1]).all() and 0.3 < mask[:, 0].mean() < 0.7
        told = np.isclose(shown[:, 0], explanations.BRIGHTNESS * y)
        assert told.all() if agrees else 0.03 < told.mean() < 0.2
    kept = made["mask.agreeing"]
    assert (made["x.agreeing"] == made["x.random"])[~kept].all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"explanations__strong__carried__radius": 0.7}, ("carried.radius is 0.7", "choose from")),
        ({"explanations__data__teacher": 1700}, ("take 1820 of 1797 digits", "leave some to the test")),
        ({"explanations__weak__training__share": 1.5}, ("weak.training.share", "1.5")),
        ({"explanations__strong__toy__radii": [0.0]}, ("strong.toy.radii", "0")),
    ],
)
def test_settings_that_cannot_be(
    changes: dict[str, object], words: tuple[str, ...], write_params: Callable[..., None], tmp_path: Path
) -> None:
    write_params(**changes)
    with pytest.raises(InputError) as caught:
        experiments.load("explanations").settings  # noqa: B018
    assert all(word in str(caught.value) for word in words), caught.value
