"""ConG in a token grammar: exact rewards, cached and contrastive decoding, losses, and settings that cannot be."""

from collections.abc import Callable
from itertools import product
from math import exp, log

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.contrastive import data, rewards, weak
from pipeline.experiments.contrastive.settings import Data
from pipeline.models import alignment, decoding, grammar, sequences
from pipeline.models.sequences import Sequences, Shape, Training
from pipeline.summary.contrastive import preferred_at_matched_fluency

WORDS, PROMPT, LENGTH = 5, 3, 4


@pytest.fixture
def language(generator: np.random.Generator) -> grammar.Grammar:
    return grammar.drawn(generator, WORDS, 2, 2, 0.1)


@pytest.fixture
def models() -> list[Sequences]:
    """Two networks, sharpened so that some words are implausible."""
    made = [sequences.made(seed, Shape(layers=2, width=8, heads=2), PROMPT + LENGTH, WORDS, WORDS) for seed in (0, 1)]
    for model in made:
        model.leave.weight.data *= 6
    return made


def test_the_grammar_scores_strings_as_a_plain_loop(language: grammar.Grammar, generator: np.random.Generator) -> None:
    tokens = language.strings(generator, 6, PROMPT + LENGTH)
    for row, found in zip(tokens, language.log_probability(tokens, PROMPT), strict=True):
        plain = [log(language.following[row[at - 2] % 2, row[at - 1], row[at]]) for at in range(PROMPT, len(row))]
        np.testing.assert_allclose(found, plain)


def test_strings_follow_the_grammar(language: grammar.Grammar, generator: np.random.Generator) -> None:
    tokens = language.strings(generator, 40_000, 3)
    kind, last = 1, 3
    after = tokens[(tokens[:, 0] % 2 == kind) & (tokens[:, 1] == last), 2]
    shares = np.bincount(after, minlength=WORDS) / len(after)
    np.testing.assert_allclose(shares, language.following[kind, last], atol=4.5 * 0.5 / len(after) ** 0.5)


def test_no_string_has_more_reward_than_the_best_and_one_has_as_much(language: grammar.Grammar) -> None:
    own = settings_of(words=WORDS, prompt=2, length=LENGTH, preferred=(0, 3), weight=1.5)
    every = np.array(list(product(range(WORDS), repeat=LENGTH)))
    for prompt in ([0, 1], [4, 4], [3, 2]):
        tokens = np.concatenate([np.tile(prompt, (len(every), 1)), every], axis=1)
        best = rewards.best(language, np.array([prompt]), own)[0]
        assert rewards.reward(language, tokens, own).max() == pytest.approx(best)


def settings_of(**changes: object) -> Data:
    stated = {"seeds": (0,), "words": 8, "kinds": 2, "successors": 2, "slips": 0.1, "preferred": (0,), "weight": 1.0}
    sizes = {"prompt": 3, "length": 4, "teacher": 2, "student": 3, "test": 2}
    return Data.model_validate({**stated, **sizes, **changes})


def test_no_prompt_is_in_two_parts() -> None:
    drawn = data.drawn(0, settings_of(teacher=30, student=20, test=10))
    prompts = np.concatenate([drawn[part] for part in ("teacher", "student", "test")])
    assert prompts.shape == (60, 3) and len(np.unique(prompts, axis=0)) == 60


def test_cached_forwards_are_those_of_whole_strings(models: list[Sequences], generator: np.random.Generator) -> None:
    tokens, reader = generator.integers(WORDS, size=(7, PROMPT + LENGTH)), decoding.Reader(models[0])
    whole = sequences.logits(models[0], tokens).log_softmax(dim=-1).detach()
    for end in range(PROMPT, PROMPT + LENGTH + 1):
        further = tokens[:, :end] if end == PROMPT else tokens[:, end - 1 : end]
        torch.testing.assert_close(reader(further), whole[:, end - 1], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="2 tokens after the prompt"):
        reader(tokens[:, :2])


def uncached(models: list[Sequences], prompt: np.ndarray, alpha: float, noise: np.ndarray) -> list[int]:
    """Contrastive decoding of one prompt, (positions,): whole forwards, one word at a time, as the authors' code."""
    written = [int(word) for word in prompt]
    for step in range(LENGTH):
        after, before = (
            torch.softmax(sequences.logits(model, np.array([written]))[0, -1], dim=0).tolist() for model in models
        )
        scores = [
            alpha * log(p) + (1 - alpha) * log(p / q) if p >= 0.1 * max(after) else -np.inf
            for p, q in zip(after, before, strict=True)
        ]
        written.append(int(np.argmax([score / 0.8 + each for score, each in zip(scores, noise[step], strict=True)])))
    return written


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_contrastive_decoding_follows_a_plain_loop(
    alpha: float, models: list[Sequences], generator: np.random.Generator
) -> None:
    prompts = generator.integers(WORDS, size=(30, PROMPT))
    found = decoding.written(decoding.contrastive(*models, alpha, 0.1), prompts, LENGTH, 0.8, np.random.default_rng(3))
    noise = np.random.default_rng(3).gumbel(size=(LENGTH, 30, WORDS))
    assert found.tolist() == [uncached(models, row, alpha, noise[:, at]) for at, row in enumerate(prompts)]


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0])
def test_a_small_alpha_heats_the_base_model(alpha: float, generator: np.random.Generator) -> None:
    """To sample the score at temperature alpha T is to sample the base model, tilted by log(p / p0) / alpha, at T."""
    after, before = torch.from_numpy(generator.normal(size=(2, 9, WORDS))).log_softmax(dim=-1)
    scores, kept = (
        decoding.contrasted(after, before, alpha, 0.3),
        after.exp() >= 0.3 * after.exp().amax(1, keepdim=True),
    )
    tilted = (before + (after - before) / alpha).where(kept, -torch.inf) / 0.8
    torch.testing.assert_close((scores / (0.8 * alpha)).softmax(dim=-1), tilted.softmax(dim=-1))


def test_samples_have_the_frequencies_of_the_softmax(models: list[Sequences], generator: np.random.Generator) -> None:
    prompts = np.tile([1, 2, 3], (20_000, 1))
    tokens = decoding.written(decoding.Reader(models[0]), prompts, 1, 1.0, generator)[:, -1]
    expected = sequences.logits(models[0], prompts[:1])[0, -1].softmax(dim=0).detach().numpy()
    np.testing.assert_allclose(np.bincount(tokens, minlength=WORDS) / len(tokens), expected, atol=0.02)


def test_dpo_and_wspo_losses_are_those_of_plain_loops(generator: np.random.Generator) -> None:
    student, reference = generator.normal(size=(2, 2, 6, LENGTH))  # model, then chosen and rejected, pair, token
    margins = [0.3 * sum((student[0, at] - reference[0, at]) - (student[1, at] - reference[1, at])) for at in range(6)]
    plain = np.mean([log(1 + exp(-margin)) for margin in margins])
    ratios = [torch.from_numpy((student - reference)[end].sum(axis=1)) for end in (0, 1)]
    assert float(alignment.dpo_loss(*ratios, 0.3)) == pytest.approx(plain)
    target = generator.normal(size=(6, LENGTH))
    errors = [
        (0.3 * (student[0, at, t] - reference[0, at, t]) - target[at, t]) ** 2 for at in range(6) for t in range(LENGTH)
    ]
    loss = alignment.wspo_loss(torch.from_numpy(student[0] - reference[0]), torch.from_numpy(target), 0.3)
    assert float(loss) == pytest.approx(np.mean(errors))


def test_training_raises_what_each_loss_asks_for(models: list[Sequences], generator: np.random.Generator) -> None:
    """DPO: the chosen over the rejected; WSPO: log-ratios near the weak ones over its factor; imitation: likelihood."""
    tokens = generator.integers(WORDS, size=(2, 8, PROMPT + LENGTH))
    tokens[1, :, :PROMPT] = tokens[0, :, :PROMPT]
    training, before = Training(steps=40, batch_size=8, learning_rate=0.01, weight_decay=0.0), models[1]

    def ratio(model: Sequences, rows: np.ndarray) -> np.ndarray:
        return (alignment.fixed(model, rows, PROMPT) - alignment.fixed(before, rows, PROMPT)).numpy()

    def tuned(train: Callable[..., None], *given: object) -> Sequences:
        model = sequences.made(1, Shape(layers=2, width=8, heads=2), PROMPT + LENGTH, WORDS, WORDS)
        sequences.load(model, sequences.weights(before))
        train(model, *given, training, np.random.default_rng(0))
        return model

    preferring = tuned(alignment.dpo, tokens[0], tokens[1], PROMPT, 0.5)
    assert (ratio(preferring, tokens[0]).sum(axis=1) > ratio(preferring, tokens[1]).sum(axis=1)).all()
    target = 0.1 * ratio(models[0], tokens[0])
    following = tuned(alignment.wspo, tokens[0], target, PROMPT, 0.1)
    assert np.square(0.1 * ratio(following, tokens[0]) - target).mean() < 0.5 * np.square(target).mean()
    assert ratio(tuned(alignment.imitate, tokens[0], PROMPT, 0.0), tokens[0]).mean() > 0.5


def test_a_larger_noise_flips_what_a_smaller_one_flips(generator: np.random.Generator) -> None:
    scores, draws = generator.normal(size=(200, 4)), generator.random(200)
    chosen = {noise: weak.ends(scores, draws < noise)[0] for noise in (0.0, 0.2, 0.4)}
    assert (chosen[0.0] == scores.argmax(axis=1)).all()
    first, second = (chosen[noise] != chosen[0.0] for noise in (0.2, 0.4))
    assert 20 < first.sum() < second.sum() and second[first].all()


def test_decoding_is_compared_with_samples_as_fluent() -> None:
    rows = [("sampled", np.nan, -2.0, 0.2), ("sampled", np.nan, -1.0, 0.4), ("decoded", 0.4, -1.5, 0.5)]
    rows += [("decoded", 1.0, -1.5, 0.9), ("cong", 0.4, -9.0, 0.0)]
    cells = pd.DataFrame(rows, columns=["method", "alpha", "fluency", "preferred"])
    assert preferred_at_matched_fluency(cells) == pytest.approx(0.2)
    assert np.isnan(preferred_at_matched_fluency(cells.replace({"fluency": {-1.5: -3.0}})))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("data.preferred", [], ("data.preferred", "at least 1 item")),
        ("data.preferred", [2, 8], ("preferred token 8", "0 to 7")),
        ("data.preferred", [0, 1, 2, 3, 4, 5, 6, 7], ("all 8 words are preferred", "drop some")),
        ("data.length", 0, ("data.length is 0", "greater than or equal to 1")),
        ("data.successors", 9, ("9 successors", "8 words")),
        ("data.test", 500, ("524 different prompts", "192 likely", "raise prompt")),
        ("weak.noises", [0.5], ("weak.noises[0] is 0.5", "less than 0.5")),
        ("labels.alphas", [1.2], ("labels.alphas[0] is 1.2", "less than or equal to 1")),
        ("labels.taught", [1.0], ("taught lacks alpha 0.4", "add it")),
        ("labels.temperatures", [0.4], ("temperatures lacks 0.8", "add it")),
    ],
)
def test_settings_that_cannot_be(
    path: str, value: object, words: tuple[str, ...], write_params: Callable[..., None]
) -> None:
    write_params(**{f"contrastive.{path}".replace(".", "__"): value})
    with pytest.raises(InputError) as caught:
        experiments.load("contrastive")
    assert all(word in str(caught.value) for word in ("contrastive.yaml", *words)), caught.value
    assert "\n" not in str(caught.value)
