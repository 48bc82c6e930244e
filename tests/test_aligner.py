"""Worksheets and their scores, preference optimisation against its equation, settings of `aligner` that cannot be."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from pipeline.core import experiments
from pipeline.core.errors import InputError
from pipeline.experiments.aligner import evaluate, networks
from pipeline.experiments.aligner.settings import Settings, recipes
from pipeline.models import alignment, sequences, worksheets
from pipeline.models.worksheets import Flaws, Language

LANGUAGE = Language(length=3, exercises=6, numbers=5, words=2, harmful=(1,))
FACTS = np.array([4, 0, 1, 2, 3, 3])
END, NICE, BAD = 5, 8, 9


def network(seed: int) -> sequences.Sequences:
    """A transformer for LANGUAGE."""
    shape = sequences.Shape(layers=1, width=8, heads=2)
    return sequences.made(seed, shape, 16, LANGUAGE.vocabulary, LANGUAGE.vocabulary)


def test_scores_of_answers_by_hand() -> None:
    questions = np.tile([0, 1, 2], (6, 1))  # right: 4 0 1
    answers = [
        [4, 0, 1, END, END],  # right
        [BAD, 4, 0, 1, END],  # a harmful word is passed over where numbers are compared
        [4, NICE, 0, 1, END],  # so is one that does no harm
        [4, 1, END, END, END],  # one left out, the last moved up
        [4, 0, 1, 2, BAD],  # one number too many
        [END, END, END, END, END],  # nothing said
    ]
    helpful, harmless = worksheets.scores(LANGUAGE, FACTS, questions, np.array(answers))
    np.testing.assert_allclose(helpful, [1, 1, 1, 1 / 3, 1, 0])
    np.testing.assert_array_equal(harmless, [1, 0, 1, 1, 0, 1])
    np.testing.assert_array_equal(worksheets.right(LANGUAGE, FACTS, questions[:1]), [[4, 0, 1, END, END]])
    with pytest.raises(ValueError, match="an empty answer"):
        worksheets.scores(LANGUAGE, FACTS, questions, np.empty((6, 0), int))


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ("off_by_one", lambda right: {(right - 1) % 5, (right + 1) % 5}),
        ("guessed", lambda right: {*range(5)} - {right}),
    ],
)
def test_wrong_numbers_are_those_of_the_slip(
    slip: worksheets.Slip, said: Callable[[int], set[int]], generator: np.random.Generator
) -> None:
    questions = worksheets.asked(generator, LANGUAGE, 100)
    flaws = Flaws(slips={slip: 1.0}, within=0.0, ending=0.0)
    answers = worksheets.answered(generator, LANGUAGE, FACTS, questions, flaws)
    for row, numbers in zip(FACTS[questions], answers, strict=True):
        assert all(number in said(right) for right, number in zip(row, numbers, strict=False))
        assert (numbers[3:] == END).all()


def test_slips_that_move_numbers_and_harmful_words_stand_where_they_should(generator: np.random.Generator) -> None:
    questions = np.tile([0, 1, 2], (50, 1))

    def spoken(within: float = 0.0, ending: float = 0.0, **slips: float) -> list[list[int]]:
        flaws = Flaws.model_validate({"slips": slips, "within": within, "ending": ending})
        return worksheets.answered(generator, LANGUAGE, FACTS, questions, flaws).tolist()

    assert set(map(tuple, spoken(repeated=1.0))) == {(0, 4, 0, END, END)}
    assert set(map(tuple, spoken(swapped=1.0))) == {(0, 1, 4, END, END)}
    assert set(map(tuple, spoken(left_out=1.0))) == {(END,) * 5}
    assert set(map(tuple, spoken(ending=1.0))) == {(4, 0, 1, BAD, END)}
    within = set(map(tuple, spoken(within=1.0, ending=1.0)))
    assert within == {(BAD, 4, 0, 1, BAD), (4, BAD, 0, 1, BAD), (4, 0, BAD, 1, BAD)}


def test_questions_are_all_different_and_few_exercises_are_frequent(generator: np.random.Generator) -> None:
    questions = worksheets.asked(generator, LANGUAGE, 60)
    assert len(set(map(tuple, questions.tolist()))) == 60
    counts = np.bincount(questions.ravel(), minlength=6)
    assert counts[0] > counts[5] > 0


def test_the_loss_of_a_preference_is_its_equation(generator: np.random.Generator) -> None:
    model, source = network(0), network(1)
    questions = worksheets.asked(generator, LANGUAGE, 4)
    prompts = LANGUAGE.asked(questions)
    chosen, rejected = (generator.integers(LANGUAGE.vocabulary, size=(4, 5)) for _ in range(2))

    @torch.no_grad()
    def log(each: sequences.Sequences, prompt: np.ndarray, said: np.ndarray) -> float:
        """Token by token, one row at a time."""
        total, tokens = 0.0, prompt
        for token in said:
            total += float(torch.log_softmax(sequences.logits(each, tokens[None])[0, -1], dim=-1)[token])
            tokens = np.append(tokens, token)
        return total

    plain: list[float] = []
    for row in zip(prompts, chosen, rejected, strict=True):
        better, worse = (log(model, row[0], said) - log(source, row[0], said) for said in row[1:])
        plain.append(np.log1p(np.exp(-0.3 * (better - worse))))

    def preference(each: sequences.Sequences) -> torch.Tensor:
        both = (np.concatenate([prompts, said], axis=1) for said in (chosen, rejected))
        logs = [[alignment.fixed(one, tokens, prompts.shape[1]) for one in (each, source)] for tokens in both]
        return alignment.dpo_loss(*((own - before).sum(dim=1) for own, before in logs), 0.3)

    found = preference(model)
    assert float(found) == pytest.approx(np.mean(plain), rel=1e-4)
    same = preference(source)
    assert float(same) == pytest.approx(np.log(2))


def test_samples_follow_the_probabilities_of_the_model(generator: np.random.Generator) -> None:
    model, prompts = network(0), np.zeros((4000, 1), int)
    said = networks.sampled(model, prompts, 1, generator)[:, 0]
    wanted = torch.softmax(sequences.logits(model, prompts[:1])[0, -1], dim=-1).detach().numpy()
    found = np.bincount(said, minlength=len(wanted)) / len(said)
    assert np.abs(found - wanted).max() < 5 * np.sqrt(wanted.max() / len(said))
    assert networks.greedy(model, prompts[:1], 1)[0, 0] == wanted.argmax()


def test_an_improvement_is_a_share_of_answers_better_less_worse() -> None:
    before = np.array([[0.5, 0.5, 0.5, 1.0], [0, 0, 1, 1]])
    after = np.array([[1.0, 0.0, 0.5, 1.0], [1, 1, 0, 1]])
    found = evaluate.improved(before, after)
    assert (found["helpful_improvement"], found["harmless_improvement"]) == (0.0, 0.25)
    assert (found["helpful_before"], found["worsened"]) == (0.625, 0.25)


def test_the_corrector_that_labels_has_no_warmup_and_all_data() -> None:
    settings: Settings = experiments.load("aligner", ROOT / "params.yaml").settings
    first = recipes(settings.weak)[0]
    assert first == ("corrector", max(settings.weak.sizes), 0.0)


BLENDS = {"slips": {"guessed": 0.7, "swapped": 0.4}, "within": 0.0, "ending": 0.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data__language__harmful": []}, ("harmful is empty", "name a word")),
        ({"data__language__harmful": [2]}, ("harmful word 2", "0 to 1", "raise words")),
        ({"data__language__length": 0}, ("length 0", "an empty answer", "at least 1")),
        ({"data__unseen": {}}, ("unseen is empty", "move one there")),
        ({"data__unseen": {"miscounts": {**BLENDS, "slips": {}}}}, ("generator miscounts", "taken")),
        ({"data__unseen": {"blends": BLENDS}}, ("slips sum to 1.1", "lower them")),
        ({"data__test": 30}, ("want 54 different questions", "of the 64", "raise language.length")),
        ({"weak__warmups": [0.0, 0.6]}, ("weak.warmups[1] is 0.6", "0.5")),
        ({"weak__warmups": [0.1]}, ("warmups lack 0", "add it")),
        ({"labels__iterations": 3}, ("labels.iterations 3 exceeds weak.passes 2", "raise weak.passes")),
        ({"weak__sizes": [9]}, ("weak.sizes 9 exceeds the 8 questions", "raise data.corrector")),
    ],
)
def test_settings_that_cannot_be(
    changes: dict[str, object], words: tuple[str, ...], write_params: Callable[..., None], tmp_path: Path
) -> None:
    write_params(**{f"aligner__{key}": value for key, value in changes.items()})
    with pytest.raises(InputError) as caught:
        experiments.load("aligner").settings  # noqa: B018
    assert all(word in str(caught.value) for word in words), caught.value
