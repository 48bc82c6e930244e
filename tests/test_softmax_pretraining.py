"""Pretraining on classification tasks against torch's loop, step by step."""

import numpy as np
import pytest
import torch
from scipy.special import softmax as softmax_of

from pipeline.core import streams
from pipeline.models.network import mlp
from pipeline.models.softmax import heads as softmax
from pipeline.models.softmax import pretraining

OPTIONS = {"learning_rate": 0.01, "weight_decay": 0.01, "batch_size": 16}


def drawn(generator: np.random.Generator, width: int = 6, blocks: int = 3) -> tuple:
    network = mlp.initialise(generator, 4, width, blocks)
    heads = softmax.initialise(generator, 2, width, 3)
    inputs = generator.normal(size=(2, 40, 4)).astype(np.float32)
    labels = softmax_of(generator.normal(0, 2, (2, 40, 3)), axis=-1)
    return network, heads, inputs, labels, np.stack([streams.orders(generator, 2, 40) for _ in range(3)])


def torch_pretrain(
    network: mlp.Representation, heads: np.ndarray, inputs: np.ndarray, labels: np.ndarray, orders: np.ndarray
) -> list:
    weights = [torch.tensor(w, requires_grad=True) for w in (network.first, *network.hidden)]
    biases = [torch.tensor(b, requires_grad=True) for b in network.biases]
    optimiser, losses = torch.optim.AdamW([*weights, *biases], lr=0.01, weight_decay=0.01), []
    for order in orders:
        losses.append([])
        for head, x, y, rows in zip(heads, inputs, labels, order, strict=True):
            for batch in torch.tensor(rows).long().split(16):
                hidden = torch.tensor(x)[batch]
                for weight, bias in zip(weights, biases, strict=True):
                    hidden = torch.relu(hidden @ weight.T + bias)
                logits = hidden @ torch.tensor(head[:-1]) + torch.tensor(head[-1])
                loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y, dtype=torch.float32)[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses[-1].append(loss.item())
    return [[w.detach().numpy() for w in weights], [b.detach().numpy() for b in biases], np.mean(losses, axis=1)]


def test_pretraining_follows_torch(generator: np.random.Generator) -> None:
    given = drawn(generator)
    weights, biases, losses = torch_pretrain(*given)
    network, _, step, found = pretraining.pretrain(given[0], mlp.initial_moments(given[0]), 0, *given[1:], **OPTIONS)
    assert step == 3 * 2 * 3
    np.testing.assert_allclose(network.first, weights[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.hidden, weights[1:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(network.biases, biases, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, losses, rtol=1e-5)


def test_going_on_is_never_having_stopped(generator: np.random.Generator) -> None:
    network, *rest, orders = drawn(generator)
    whole = pretraining.pretrain(network, mlp.initial_moments(network), 0, *rest, orders, **OPTIONS)
    part = pretraining.pretrain(network, mlp.initial_moments(network), 0, *rest, orders[:1], **OPTIONS)
    resumed = pretraining.pretrain(*part[:3], *rest, orders[1:], **OPTIONS)
    assert whole[0].hidden.tobytes() == resumed[0].hidden.tobytes()


def test_bad_labels_are_refused(generator: np.random.Generator) -> None:
    network, heads, inputs, labels, orders = drawn(generator)
    with pytest.raises(ValueError, match="does not sum to 1"):
        pretraining.pretrain(network, mlp.initial_moments(network), 0, heads, inputs, 2 * labels, orders, **OPTIONS)
    with pytest.raises(ValueError, match="heads"):
        pretraining.pretrain(network, mlp.initial_moments(network), 0, heads[:1], inputs, labels, orders, **OPTIONS)
