"""What each figure shows, in words for those who cannot see it.  Every number comes from the JSON that was drawn."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.page.alternatives_language import LANGUAGE, span
from pipeline.summary.words import DATASETS, number, written

Numbers = Mapping[str, Any]
SCATTER = "Scatter of misfit against gain with the line on which both are equal"
HEADS = {"adamw": "AdamW", "exact": "exact", "ball": "ball"}
CLASSES = {"mixture": "convex class", "softmax": "softmax-linear"}


def alternative(name: str, caption: str, numbers: Numbers) -> str:
    """Caption, then what is drawn with its numbers; a figure without words of its own gives its reading."""
    words = WORDS.get(name)
    return f"{caption} {words(numbers) if words else numbers['reading']}"


def panel(numbers: Numbers) -> str:
    """Figure 2 a-c: range of the cloud, slope and correlation of each seed, the other protocols."""
    main, *others = numbers["protocols"]
    seeds = main["seeds"]
    each = "; ".join(
        f"seed {seed['seed']}: {number(seed['gain_over_misfit']['value'])} and {number(seed['correlation']['value'])}"
        for seed in seeds
    )
    over = main["over_seeds"]
    beside = "; ".join(
        f"{HEADS[other['head']]} on {other['inputs']} inputs {written(other['over_seeds']['gain_over_misfit'])}"
        for other in others
        if "gain_over_misfit" in other["over_seeds"]
    )
    text = (
        f"{SCATTER}: {sum(s['tasks'] for s in seeds)} tasks, {len(seeds)} seeds; "
        f"gain {span(v for s in seeds for v in s['gain'])}, misfit {span(v for s in seeds for v in s['misfit'])}. "
        f"Gain / misfit and correlation: {each}; mean over seeds {written(over['gain_over_misfit'])} "
        f"and {written(over['correlation'])}."
    )
    return f"{text} Smaller scatters, gain / misfit: {beside}." if beside else text


def molecules(numbers: Numbers) -> str:
    """Figure 2 d-f: both ladders from their smallest to their largest rung, and finetuned teachers."""
    main = numbers["protocols"][0]
    frozen = " ".join(_ladder(ladder) for ladder in main["ladders"])
    study = numbers["study"][0]["ladders"] if numbers["study"] else []
    finetuned = "".join(
        f" Teachers finetuned whole, {ladder['label']}: gain / misfit {written(ladder['gain_over_misfit'])}."
        for ladder in study
    )
    return f"{SCATTER}; means over splits. {frozen}{finetuned}"


def selection(numbers: Numbers) -> str:
    """Regret of each rule on test molecules, by data set."""
    texts = []
    for dataset in numbers["datasets"]:
        regrets = ", ".join(
            f"{entry['rule'].replace('_', ' ')} {number(entry['mean']['value'])}"
            for entry in dataset["regrets"]
            if entry["sample"] == "test"
        )
        texts.append(f"{DATASETS[dataset['dataset']]}: {regrets}, by lot {number(dataset['by_lot']['value'])}.")
    return f"Mean regret over splits, read off test molecules. {' '.join(texts)}"


def low_sample(numbers: Numbers) -> str:
    """Error of both teachers at the fewest and the most labels."""
    texts = []
    for dataset in numbers["datasets"]:
        for pair in dataset["pairs"]:
            ends = " and ".join(
                f"{pair['counts'][place]} labels: {number(pair['teacher']['small'][place]['value'])} "
                f"against {number(pair['teacher']['large'][place]['value'])}"
                for place in (0, -1)
            )
            names = f"{pair['small']} against {pair['large']} ({pair['training']})"
            texts.append(f"{DATASETS[dataset['dataset']]}, {names}: {ends}.")
    return f"Error of two teachers against the number of labels. {' '.join(texts)}"


def realizability(numbers: Numbers) -> str:
    """Each seed of the experiment; means of the study by schedule and length of pretraining."""
    seeds = "; ".join(
        f"seed {seed['seed']}: {number(seed['gain_over_misfit']['value'])} at {number(seed['epsilon_over_weak_error'])}"
        for seed in numbers["main"]
    )
    study = "; ".join(
        f"{row['schedule']}, {row['epochs']} epochs: {number(row['value'])}" for row in numbers["over_seeds"]
    )
    text = f"Gain / misfit against what is out of reach, relative to the teacher's error. {seeds}. {numbers['reading']}"
    return f"{text} Mean gain / misfit of the study: {study}." if study else text


def kl_gain(numbers: Numbers) -> str:
    """Ratio of gain to misfit in each of the small scatters, and how far the points reach."""
    texts = []
    for drawn in numbers["panels"]:
        points = sum(len(seed["gain"]) for seed in drawn["seeds"])
        kind = f"{CLASSES[drawn['class']]}, {drawn['loss'].replace('_', ' ')}, {drawn['panel']}"
        texts.append(f"{kind}: {written(drawn['gain_over_misfit'][drawn['direction']])} over {points} tasks")
    return f"Scatters of misfit against gain in KL; gain / misfit by student and panel. {'; '.join(texts)}."


def bounds(numbers: Numbers) -> str:
    """How many cells lie within the bound, and how much of it is used."""
    texts = [
        f"{group['experiment']}: {group['share_within_bound']:.0%} of {group['cells']} cells lie within the bound; "
        f"at most {number(group['largest_tightness'])} of it is used, and {number(group['largest_sharp_tightness'])} "
        "of the least possible one."
        for group in numbers["groups"]
    ]
    return f"Change of risk from teacher to student against their disagreement, below the bound. {' '.join(texts)}"


def calibration(numbers: Numbers) -> str:
    """Range of the calibration errors by role, how often the student is worse, and the counterexample."""
    bars = numbers["bars"]
    roles = ", ".join(f"{role} {span(bar[role]['value'] for bar in bars)}" for role in ("weak", "student", "ceiling"))
    worse = sum(bar["student"]["value"] > bar["weak"]["value"] for bar in bars)
    return (
        f"Expected calibration error by role in {len(bars)} settings: {roles}. The student's is larger than its "
        f"teacher's in {worse}. {numbers['reading']}"
    )


def reliability(numbers: Numbers) -> str:
    """Pooled calibration error of the three roles by setting."""
    texts = [
        f"{name.replace('_', ' ')}: {', '.join(f'{role} {number(value)}' for role, value in roles.items())}"
        for name, roles in numbers["pooled_ece"].items()
    ]
    return f"Frequency of the right class against confidence. Pooled calibration error, {'; '.join(texts)}."


def overoptimisation(numbers: Numbers) -> str:
    """Accuracy at the first, the best and the last epoch of each teacher's first student."""
    firsts = {group["weak"]: group for group in reversed(numbers["groups"])}
    texts = []
    for weak, group in sorted(firsts.items()):
        values = [estimate["value"] for estimate in group["student_accuracy"]]
        best = max(range(len(values)), key=values.__getitem__)
        texts.append(
            f"{weak.replace('_', ' ')} ({group['loss'].replace('_', ' ')}, rate {group['lr']:g}): "
            + ", ".join(f"{number(values[place])} at epoch {group['epochs'][place]:g}" for place in (0, best, -1))
        )
    return f"Student's accuracy and calibration against epochs on weak labels. {'; '.join(texts)}. {numbers['reading']}"


def noise(numbers: Numbers) -> str:
    """Accuracy of both losses without noise and at the most noise."""
    texts = []
    for group in numbers["groups"]:
        ends = ", ".join(
            f"{loss.replace('_', ' ')} {number(values[0]['value'])} to {number(values[-1]['value'])}"
            for loss, values in group["accuracy"].items()
        )
        texts.append(f"{group['weak'].replace('_', ' ')}, stop {group['stop']}: {ends}")
    last = numbers["groups"][0]["noise"][-1]
    return f"Accuracy from no noise to {last:.0%} of labels turned round. {'; '.join(texts)}. {numbers['reading']}"


def _ladder(ladder: Numbers) -> str:
    ends = " to ".join(
        f"size {rung['size']}: gain {number(rung['over_splits']['gain']['value'])}, "
        f"misfit {number(rung['over_splits']['misfit']['value'])}"
        for rung in (ladder["rungs"][0], ladder["rungs"][-1])
    )
    return f"{ladder['label']}, from {ends}; gain / misfit {written(ladder['gain_over_misfit'])}."


WORDS: dict[str, Callable[[Numbers], str]] = {
    **{f"charikar_fig2{letter}": panel for letter in "abc"},
    **{f"charikar_fig2{letter}": molecules for letter in "def"},
    "charikar_selection": selection,
    "charikar_low_sample": low_sample,
    "charikar_realizability": realizability,
    "yao_kl_gain": kl_gain,
    "yao_bounds": bounds,
    "yao_calibration": calibration,
    "yao_reliability": reliability,
    "yao_overoptimisation": overoptimisation,
    "yao_noise": noise,
    **LANGUAGE,
}
