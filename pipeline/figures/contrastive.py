"""ConG (Jiang et al. 2025) in a grammar of known reward: methods, alpha, and flipped pairs."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from pipeline.core.config import Intervals
from pipeline.figures import Figure, Numbers, drawing
from pipeline.summary.estimates import over_means, over_units, plain
from pipeline.summary.tables import Tables, controls_of
from pipeline.summary.words import number

STUDY = "published/contrastive"
NOISE, ALPHA, SHUFFLED = 0.2, 0.4, 0.5  # of the panels that show one; pairs ordered by lot
SAMPLED, WHOLE = "method == 'sampled' and temperature == 0.8", "alpha == 1"
# By name in the picture, from top to bottom: the method's rows of the cells.
METHODS = {
    "weak, un-tuned": "method == 'weak_untuned'",
    "weak, aligned": SAMPLED,
    "decoded, α = 1": f"method == 'decoded' and {WHOLE}",
    "decoded": f"method == 'decoded' and alpha == {ALPHA}",
    "decoded, cooled": f"method == 'cooled' and alpha == {ALPHA}",
    "strong, un-tuned": "method == 'untuned'",
    "Weak-SFT": "method == 'weak_sft'",
    "Weak-SFT, cold": "method == 'weak_sft_cold'",
    "confidence loss": "method == 'confidence'",
    "WSPO": "method == 'wspo'",
    "ConG-S, α = 1": f"method == 'cong_s' and {WHOLE}",
    "ConG-S": f"method == 'cong_s' and alpha == {ALPHA}",
    "ConG": "method == 'cong'",
    "ConG-S, cooled": "method == 'cong_s_cooled'",
    "ConG, cooled": "method == 'cong_cooled'",
    "ConG, true pairs": "method == 'cong_true'",
    "DPO, true reward": "method == 'gold'",
}
FOLLOWED = ("weak, aligned", "decoded", "Weak-SFT", "confidence loss", "WSPO", "ConG-S", "ConG")  # along the noise
ALIKE = {  # drawn in the colour of what they vary, open or half filled
    "decoded, α = 1": "decoded",
    "decoded, cooled": "decoded",
    "Weak-SFT, cold": "Weak-SFT",
    "ConG-S, α = 1": "ConG-S",
    "ConG-S, cooled": "ConG-S",
    "ConG, cooled": "ConG",
}
COLOURS = dict(
    zip(FOLLOWED, (drawing.ROLE_COLOURS["weak"], drawing.SEED_COLOURS[5], *drawing.SEED_COLOURS), strict=False)
)
MARKERS = dict(zip(FOLLOWED, ("s", "P", "o", "v", "D", "^", "X"), strict=True))
GREY = {"weak, un-tuned": "<", "strong, un-tuned": ">", "ConG, true pairs": "p", "DPO, true reward": "*"}
CHANGES = {  # along alpha, less their value at alpha = 1
    "implicit": {"color": drawing.SEED_COLOURS[3], "marker": "D", "label": "implicit reward"},
    "fluency": {"color": drawing.SEED_COLOURS[0], "marker": "v", "label": "fluency"},
    "share": {"color": drawing.SEED_COLOURS[1], "marker": "^", "label": "preferred share × weight"},
    "reward": {"color": drawing.INK, "marker": "o", "label": "true reward"},
}
CURVES = {  # in the plane: line, what varies along it, whose colour
    "decoded": ("-", "α", "decoded"),
    "cooled": (":", "α", "decoded"),
    "sampled": ("--", "T", "weak, aligned"),
}
REWARD = "true reward (nats a token)"


def numbers(tables: Tables, settings: Intervals) -> Numbers:
    """Means over seeds: by method, along alpha and temperature, and along the share of flipped pairs."""
    every = pd.concat([tables[STUDY], controls_of(tables, STUDY)])
    every = every.assign(share=every["reward"] - every["fluency"])
    shown = every[every["noise"] == NOISE]
    points = [{"method": name, **_scores(shown.query(rows), settings.confidence)} for name, rows in METHODS.items()]
    decoded, cooled, plainly = (shown[shown["method"] == method] for method in ("decoded", "cooled", "sampled"))
    alphas = [{"alpha": float(a), **_changes(decoded, a, settings)} for a in sorted(decoded["alpha"].unique())]
    plane = [
        {"kind": kind, "size": float(size), **_scores(rows, settings.confidence)}
        for kind, by, own in (
            ("decoded", "alpha", decoded),
            ("cooled", "alpha", cooled),
            ("sampled", "temperature", plainly),
        )
        for size, rows in own.groupby(by)
    ]
    noises = [
        {"method": name, "noise": float(noise), "reward": _mean(own.query(METHODS[name]), "reward", settings)}
        for noise, own in every.groupby("noise")
        for name in FOLLOWED
    ]
    untuned = _mean(shown.query(METHODS["strong, un-tuned"]), "reward", settings)
    weight = float((shown["share"] / shown["preferred"]).median())
    found = plain({"points": points, "alphas": alphas, "plane": plane, "noises": noises, "untuned": untuned})
    return plain({"reading": words(found), **found, "weight": weight, "confidence": settings.confidence})


def _scores(cells: pd.DataFrame, confidence: float) -> Numbers:
    return {
        name: over_means(f"mean_{name}", cells, name, confidence)._asdict()
        for name in ("reward", "fluency", "preferred", "implicit")
    }


def _mean(cells: pd.DataFrame, column: str, settings: Intervals) -> Numbers:
    return over_means(f"mean_{column}", cells, column, settings.confidence)._asdict()


def _changes(decoded: pd.DataFrame, alpha: float, settings: Intervals) -> Numbers:
    """Each score at an alpha less that at alpha 1, seed by seed."""
    own, whole = (decoded[decoded["alpha"] == each].set_index("seed") for each in (alpha, decoded["alpha"].max()))
    return {
        name: over_units(f"mean_{name}", (own[name] - whole[name]).to_list(), settings.confidence)._asdict()
        for name in CHANGES
    }


def words(found: Numbers) -> str:
    """Rewards by method."""
    told = ", ".join(f"{point['method']} {number(point['reward']['value'])}" for point in found["points"])
    return f"True reward in nats a token, a fifth of the weak model's pairs flipped: {told}."


def draw(numbers: Numbers) -> Picture:
    """Methods and their two scores above; alpha and noise below."""
    figure, panels = plt.subplots(2, 2, figsize=(drawing.WIDTH, 6.6))
    _dots(panels[0, 0], numbers["points"])
    panels[0, 0].set_title("a  methods", fontweight="bold")
    _plane(panels[0, 1], numbers)
    panels[0, 1].set_title("b  the two parts of the reward", fontweight="bold")
    _alphas(panels[1, 0], numbers["alphas"])
    panels[1, 0].set_title("c  contrastive decoding along α", fontweight="bold")
    _noises(panels[1, 1], numbers)
    panels[1, 1].set_title("d  flipped pairs", fontweight="bold")
    drawing.legend_above(figure, panels[1, 1], columns=4)
    return figure


def _look(name: str) -> dict[str, Any]:
    own = ALIKE.get(name, name)
    fill = "full" if name in FOLLOWED else "bottom" if name.endswith(("cooled", "cold")) else "none"
    look = {"color": COLOURS.get(own, drawing.SOFT), "marker": (MARKERS | GREY)[own], "fillstyle": fill}
    return look | {"markeredgewidth": 0 if fill == "full" else 1.2, "markerfacecoloralt": "white"}


def _dots(axes: Axes, points: list[Numbers]) -> None:
    names = [*METHODS]
    for point in points:
        drawing.horizontal_interval(axes, names.index(point["method"]), point["reward"], **_look(point["method"]))
    axes.set(ylim=(len(names) - 0.5, -0.5), xlabel=REWARD)
    axes.set_yticks(range(len(names)), names)


def _plane(axes: Axes, numbers: Numbers) -> None:
    told = []
    for kind, (line, letter, of) in CURVES.items():
        own = [point for point in numbers["plane"] if point["kind"] == kind]
        x, y = ([point[name]["value"] for point in own] for name in ("preferred", "fluency"))
        axes.plot(x, y, color=COLOURS[of], linestyle=line, marker=".", zorder=2)
        for place in (0,) if kind == "cooled" else (0, -1):  # at alpha 1 both are one
            told.append((f"{letter} = {own[place]['size']:g}", x[place], y[place]))
    for point in numbers["points"]:
        if point["method"] not in ("weak, aligned", "decoded", "decoded, α = 1", "decoded, cooled"):  # on a curve
            look = {"markersize": 5, **_look(point["method"])}
            drawing.horizontal_interval(axes, point["fluency"]["value"], point["preferred"], **look)
            drawing.vertical_interval(axes, point["preferred"]["value"], point["fluency"], **look)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for text, x_, y_ in told:
        near = x_ > 0.7 * right + 0.3 * left  # the right edge
        axes.annotate(
            text, (x_, y_), (-4 if near else 4, 4), textcoords="offset points", ha="right" if near else "left"
        )
    for level in np.arange(np.floor(low + numbers["weight"] * left), high + numbers["weight"] * right, 0.5):
        ends = np.array([left, right])
        axes.plot(ends, level - numbers["weight"] * ends, color=drawing.FAINT, linewidth=0.6, zorder=0)
    axes.set(xlim=(left, right), ylim=(low, high))
    axes.set(xlabel="share of preferred tokens", ylabel="fluency (nats a token)")


def _alphas(axes: Axes, alphas: list[Numbers]) -> None:
    for name, look in CHANGES.items():
        drawing.band(axes, [each["alpha"] for each in alphas], [each[name] for each in alphas], **look)
    axes.axhline(0, **drawing.EQUAL)
    axes.invert_xaxis()
    axes.set(xlabel="α (1: plausible words; 0: implicit reward alone)", ylabel="change from α = 1 (nats a token)")
    axes.set_ylim(bottom=1.35 * axes.get_ylim()[0])
    axes.legend(loc="lower left")


def _noises(axes: Axes, numbers: Numbers) -> None:
    for name in FOLLOWED:
        own = [each for each in numbers["noises"] if each["method"] == name]
        drawing.band(
            axes, [each["noise"] for each in own], [each["reward"] for each in own], label=name, **_style(name)
        )
    axes.axhline(numbers["untuned"]["value"], label="strong, un-tuned", **drawing.EQUAL)
    axes.axvspan(0.45, 0.55, color=drawing.FAINT, alpha=0.4, linewidth=0)
    noises = sorted({each["noise"] for each in numbers["noises"]})
    axes.set_xticks(noises, ["by lot" if noise == SHUFFLED else f"{noise:g}" for noise in noises])
    axes.set(xlabel="share of flipped pairs", ylabel=REWARD)


def _style(name: str) -> dict[str, Any]:
    return {"color": COLOURS[name], "marker": MARKERS[name]}


FIGURES = {
    "contrastive": Figure(
        source="jiang2025",
        cells=(STUDY,),
        caption=(
            "Contrastive decoding of an aligned weak model and students of it, in a grammar whose reward (fluency and "
            "a weighted share of preferred tokens) is known exactly. a: true reward of what each method writes, a "
            "fifth of the weak model's pairs flipped, means with intervals; half filled or open: "
            "variants and controls. b: both "
            "parts of the reward; decoded strings along α (dotted: cooled, the base model at its temperature), plain "
            "samples of the aligned weak model along the temperature T (dashed), the others as in a; thin lines join "
            "equal rewards. c: what changes along α. d: the share of flipped pairs; by lot: the control."
        ),
        shows="contrastive decoding, ConG-S and ConG beside WSPO and plain weak labels, where the reward is exact",
        numbers=numbers,
        draw=draw,
        words=words,
    )
}
