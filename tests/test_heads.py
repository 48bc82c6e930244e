"""Linear heads: the batched kernel against a literal torch loop, the exact fits against numpy and their optimality."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.network import heads

ADAMW = {"learning_rate": 1e-3, "weight_decay": 0.01, "batch_size": 32}
Array = np.ndarray


@pytest.fixture(autouse=True, scope="module")
def one_torch_thread() -> Iterator[None]:
    """Batches of 32 gain nothing from threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def problem(seed: int = 0, tasks: int = 3, samples: int = 77, width: int = 16, epochs: int = 3) -> tuple:
    """ReLU-like features of each task, labels, initial heads and orders."""
    generator = np.random.default_rng(seed)
    features = np.maximum(generator.normal(0, 2, (tasks, samples, width)), 0).astype(np.float32)
    labels = generator.normal(0, 1, (tasks, samples)).astype(np.float32)
    initial = generator.uniform(-0.25, 0.25, (tasks, width + 1)).astype(np.float32)
    return features, labels, initial, generator.permuted(np.tile(np.arange(samples), (epochs, 1)), axis=1)


def literal_loop(features: Array, labels: Array, initial: Array, orders: Array) -> Array:
    """One task, the authors' loop: the heads after each epoch, (E, h + 1)."""
    features, labels, initial = map(torch.tensor, (features, labels, initial))
    head = torch.nn.Linear(features.shape[1], 1)
    head.load_state_dict({"weight": initial[None, :-1], "bias": initial[-1:]})
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3)
    after = []
    for order in torch.tensor(orders):
        for chosen in torch.split(order, 32):
            loss = torch.nn.functional.mse_loss(head(features[chosen])[:, 0], labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        after.append(torch.cat([head.weight[0], head.bias]).detach().numpy().copy())
    return np.stack(after)


@pytest.mark.parametrize(("tasks", "width"), [(3, 16), (18, 16), (2, 100)])
def test_follows_the_literal_loop(tasks: int, width: int) -> None:
    features, labels, initial, orders = problem(tasks=tasks, width=width)
    plain = [literal_loop(*task, orders)[-1] for task in zip(features, labels, initial, strict=True)]
    np.testing.assert_allclose(heads.fit_adamw(features, labels, initial, orders, **ADAMW), plain, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=15)
@given(tasks=st.integers(1, 20), samples=st.integers(1, 50), width=st.integers(1, 30), batch_size=st.integers(1, 60))
def test_neighbours_change_no_byte(tasks: int, samples: int, width: int, batch_size: int) -> None:
    """A task fitted alone, again, or on features shared with others gives the same bytes."""
    features, labels, initial, orders = problem(tasks=tasks, samples=samples, width=width)
    options = {**ADAMW, "batch_size": batch_size}
    together = heads.fit_adamw(features, labels, initial, orders, **options)
    alone = heads.fit_adamw(features[-1:], labels[-1:], initial[-1:], orders, **options)
    shared = heads.fit_adamw(features[-1], labels, initial, orders, **options)
    assert together[-1].tobytes() == alone[0].tobytes() == shared[-1].tobytes()


@pytest.mark.parametrize("shared", [False, True])
def test_the_average_weighs_every_epoch_by_its_likelihood_on_validation(shared: bool) -> None:
    features, labels, initial, orders = problem(tasks=18, epochs=12)
    validation, targets, *_ = problem(seed=1, tasks=18, samples=21)
    if shared:
        features, validation = features[0], validation[0]
    fast = {**ADAMW, "learning_rate": 0.05}
    average = heads.fit_adamw_averaged(
        features, labels, initial, orders, validation_features=validation, validation_labels=targets, **fast
    )
    runs = np.stack(
        [heads.fit_adamw(features, labels, initial, orders[: epoch + 1], **fast) for epoch in range(12)]
    ).astype(np.float64)
    errors = np.stack([((heads.predict(validation, run) - targets) ** 2).mean(axis=1) for run in runs])
    weights = (errors / errors.min(axis=0)) ** (-21 / 2)
    weights /= weights.sum(axis=0)
    np.testing.assert_allclose(average, (weights[..., None] * runs).sum(axis=0), rtol=1e-4, atol=1e-6)
    assert weights.max(axis=0).min() < 0.9 and len(set(errors.argmin(axis=0))) > 4  # the case is not trivial


def mean_square(features: Array, labels: Array, head: Array) -> float:
    return float(((heads.predict(features, head) - labels) ** 2).mean())


def test_exact_is_lstsq_where_that_is_well_conditioned() -> None:
    features, labels, *_ = problem(samples=200)
    design = np.column_stack([features[0], np.ones(200)]).astype(np.float64)
    expected = np.linalg.lstsq(design, labels[0], rcond=None)[0]
    fitted = heads.fit_exact(features[0], labels[0], min_active=1, rcond=1e-10)
    np.testing.assert_allclose(fitted, expected, rtol=1e-9)
    assert fitted.dtype == np.float64


def test_exact_drops_rarely_active_and_constant_units() -> None:
    features, labels, *_ = problem(samples=200)
    features = features[0]
    features[3:, 2] = 0  # active three times at most
    features[:, 5] = 7.0
    features[:, 9] = features[:, 8]  # twice the same unit: the minimum norm shares the weight
    fitted = heads.fit_exact(features, labels[0], min_active=4, rcond=1e-6)
    kept = np.delete(np.arange(16), [2, 5, 9])
    np.testing.assert_allclose(fitted[8], fitted[9], rtol=1e-6)
    assert fitted[2] == fitted[5] == 0
    alone = heads.fit_exact(features[:, kept], labels[0], min_active=4, rcond=1e-6)
    assert mean_square(features, labels[0], fitted) == pytest.approx(mean_square(features[:, kept], labels[0], alone))


def test_exact_without_any_unit_is_the_mean() -> None:
    fitted = heads.fit_exact(np.zeros((5, 3)), np.arange(5.0), min_active=1, rcond=1e-6)
    np.testing.assert_array_equal(fitted, [0, 0, 0, 2.0])


def test_predict_broadcasts() -> None:
    features, _, initial, _ = problem()
    expected = np.einsum("knh,kh->kn", features, initial[:, :-1], dtype=np.float64) + initial[:, -1:]
    np.testing.assert_allclose(heads.predict(features, initial), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(heads.predict(features[0], initial)[1], heads.predict(features[0], initial[1]))


def test_divergence_names_the_task() -> None:
    features, labels, initial, orders = problem(tasks=18)
    labels[17, 3] = np.inf
    with pytest.raises(FloatingPointError, match="the head of task 17 is not finite: training diverged"):
        heads.fit_adamw(features, labels, initial, orders, **ADAMW)
    with pytest.raises(FloatingPointError, match="task 17"):
        heads.fit_adamw_averaged(
            features, labels, initial, orders, validation_features=features, validation_labels=labels, **ADAMW
        )


@pytest.mark.parametrize(
    ("position", "change", "message"),
    [
        (0, lambda features: features[:2], r"features have shape \(2, 77, 16\), expected \(77, 16\) or \(3, 77, 16\)"),
        (1, lambda labels: labels[0], r"labels have shape \(77,\)"),
        (2, lambda initial: initial[:, 1:], r"initial heads have shape \(3, 16\), expected \(3, 17\)"),
        (3, lambda orders: orders[:, 1:], r"orders have shape \(3, 76\), expected \(epochs, 77\)"),
        (3, lambda orders: orders - 1, "orders point outside the 77 samples"),
    ],
)
def test_misfits_are_named(position: int, change: Callable, message: str) -> None:
    arguments = list(problem())
    arguments[position] = change(arguments[position])
    with pytest.raises(ValueError, match=message):
        heads.fit_adamw(*arguments, **ADAMW)


def test_exact_fits_name_bad_input() -> None:
    (features,), (labels,), *_ = problem(tasks=1)
    with pytest.raises(ValueError, match="do not belong together"):
        heads.fit_exact(features, labels[1:], min_active=1, rcond=1e-6)
    with pytest.raises(ValueError, match="not finite"):
        heads.fit_exact(np.where(features > 3, np.nan, features), labels, min_active=1, rcond=1e-6)
