"""Made-up cells for tests of figures, claims and report; they obey the identities and live in scratch folders only."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pipeline.core.cells import COLUMNS, complete
from pipeline.experiments.aligner.evaluate import CONTROLS
from pipeline.measures import classification
from pipeline.summary.shift import BASELINES
from pipeline.summary.yao_students import STUDENTS
from pipeline.theory.divergence import floored
from tests.conftest import ROOT

PANELS = {"realizable": (0.0, 0.0), "pretrained": (0.3, 0.15), "perturbed": (0.02, 0.05)}  # epsilon / misfit, rho
RAVENS = ("raven", "raven_kl", "raven_tempered", "raven_normalised")
FLOORS = (0.01, 0.05)
CLAIM = {
    "id": "toy",
    "statement": "Gain equals misfit.",
    "kind": "claim",
    "wording": "derived",
    "experiment": "synthetic",
    "cells": {"panel": "realizable", "head": "adamw", "inputs": "reused"},
    "statistic": "gain_over_misfit",
    "over": "seed",
    "expected": {"low": 0.9, "high": 1.1},
    "figure": "charikar_fig2a",
}


def measures(generator: np.random.Generator, size: int, reach: float, rho: float) -> pd.DataFrame:
    """Misfit and what follows from it: columns from weak_error on, ``size`` rows."""
    misfit = generator.gamma(2, 0.075, size)
    epsilon = reach * misfit
    cross = rho * np.sqrt(epsilon * misfit) * generator.uniform(0.8, 1.2, size)
    student = epsilon + generator.gamma(2, 0.01, size)
    gain = misfit - 2 * cross
    return pd.DataFrame(
        {
            "weak_error": student + gain,
            "student_error": student,
            "ceiling_error": 1.1 * epsilon + 0.001,
            "misfit": misfit,
            "gain": gain,
            "cross_term": cross,
            "epsilon": epsilon,
            "rho": rho if reach else np.nan,
            "bound": misfit - 2 * np.sqrt(epsilon * misfit),
            "truth_variance": 1.0,
            "error_correlation": 0.6,
        }
    )


def synthetic(seeds: tuple[int, ...] = (0, 1, 2), tasks: int = 20) -> pd.DataFrame:
    """Cells of the synthetic experiment; one exact-head task of panel b lies far out."""
    generator = np.random.default_rng(1)
    tables = [
        measures(generator, tasks, *PANELS[panel]).assign(
            panel=panel, head=head, inputs=inputs, seed=seed, task=range(tasks)
        )
        for seed in seeds
        for panel in PANELS
        for head in ("adamw", "exact")
        for inputs in ("reused", "fresh")
    ]
    tables += [
        measures(generator, tasks // 2, *PANELS[panel]).assign(
            panel=panel, head="exact", inputs="fresh", seed=seed, task=range(tasks // 2), control=control
        )
        for seed in seeds
        for panel in PANELS
        for control in ("random", "other_task", "shuffled", "constant", "itself", "teachers_labels")
    ]
    cells = _complete(pd.concat(tables, ignore_index=True), "synthetic")
    far = cells.query("panel == 'pretrained' and head == 'exact' and inputs == 'fresh'").index[0]
    cells.loc[far, ["misfit", "cross_term", "student_error"]] += [50, 50, 50]
    cells.loc[far, "gain"] -= 50
    return cells


def realizability(seeds: tuple[int, ...] = (0, 1, 2), tasks: int = 20) -> pd.DataFrame:
    """Cells of the study: the longer the pretraining, the less is out of reach; joint steps fall behind."""
    generator = np.random.default_rng(2)
    reach = {("sequential", 10): 0.8, ("sequential", 1000): 0.2, ("joint", 10): 0.9, ("joint", 1000): 0.6}
    tables = [
        measures(generator, tasks, share, share / 3).assign(
            panel="pretrained",
            head="adamw",
            inputs="reused",
            seed=seed,
            task=range(tasks),
            schedule=schedule,
            epochs=epochs,
        )
        for seed in seeds
        for (schedule, epochs), share in reach.items()
    ]
    return _complete(pd.concat(tables, ignore_index=True), "realizability")


def molecules(splits: tuple[str, ...] = ("122", "123", "124", "r0", "r1", "r2")) -> pd.DataFrame:
    """Cells of the molecules experiment: two ladders with all labels, three that teach each other, and controls."""
    generator = np.random.default_rng(3)
    full = (
        [("smiles", size, 0) for size in (8, 24, 96)] + [("smiles", 8, 1)] + [("morgan", size, 0) for size in (8, 64)]
    )
    few = [("smiles-8", "smiles", 8), ("smiles-96", "smiles", 96), ("minimol", "strong", 0)]
    common = {"strong": "minimol", "regime": "full", "training": "frozen", "head": "ball", "inputs": "half", "seed": 0}
    rows = [
        common
        | {"weak": f"{ladder}-{size}", "ladder": ladder, "weak_size": size, "seed": seed}
        | {"head": head, "inputs": inputs, "n_train": 900, "panel": panel}
        for ladder, size, seed in full
        for panel, heads in (("chembench", ("adamw", "ball")), ("random", ("ball",)))
        for head in heads
        for inputs in ("same", "half")
    ]
    alone = {"panel": "random", "ladder": "smiles", "weak_size": 24}
    rows += [
        common | alone | {"weak": "smiles-24", "control": control, "n_train": 450}
        for control in ("random", "other_task", "shuffled", "constant", "itself", "teachers_labels")
    ]
    rows += [
        common | alone | {"weak": "mean", "control": "constant", "regime": "few", "n_train": count}
        for count in (10, 100)
    ]
    rows += [
        common
        | alone
        | {"weak": weak, "strong": strong, "ladder": ladder, "weak_size": size}
        | {"regime": "few", "training": training, "n_train": count}
        for weak, ladder, size in few
        for strong, _, _ in few
        if strong != weak
        for training in ("frozen", "finetuned")[: 2 if ladder == "smiles" else 1]
        for count in (10, 100)
    ]
    table = pd.DataFrame(rows)
    tables = [
        table[table["panel"] == ("random" if split.startswith("r") else "chembench")].assign(
            dataset=dataset, split=split, task=""
        )
        for dataset in ("esol", "freesolv", "lipop")
        for split in splits
    ]
    cells = pd.concat(tables, ignore_index=True)
    cells = pd.concat([cells, measures(generator, len(cells), 0.4, 0.3)], axis=1)
    for name in ("weak_error", "student_error", "misfit"):
        cells[f"valid_{name}"] = cells[name] * generator.uniform(0.9, 1.1, len(cells))
    for name in ("weak_error", "gain", "misfit"):
        cells[f"train_{name}"] = cells[name]
    for name in ("epsilon", "bound"):
        cells[f"train_{name}"] = cells[name].where((cells["head"] == "ball") & (cells["panel"] == "chembench"))
    cells = cells.assign(experiment="molecules", n_eval=113)
    return cells.reindex(columns=[*COLUMNS, *(name for name in cells if name not in COLUMNS)])


def kl(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of classification on networks: solved students of every panel and direction, and a few curves."""
    solved = [
        {"panel": panel, "class": family, "loss": loss, "direction": direction, "seed": seed, "n_train": 2000}
        | {"noise": 0.0, "sharpening": 1.0, "gain_bound": -1.0}
        for panel in ("realizable", "pretrained", "perturbed")
        for family, loss, _ in STUDENTS
        for direction in ("reverse", "forward")
        for seed in seeds
    ]
    vertices = [
        row | {"panel": "boundary"} for row in solved if row["panel"] == "realizable" and row["class"] == "mixture"
    ]
    random = [
        row | {"control": "random"} for row in solved if row["panel"] == "realizable" and row["class"] == "mixture"
    ]
    curves = [
        {"panel": "pretrained", "weak": "weak_pretrained", "seed": seed, "n_train": 200} | curve
        for curve in _curves(epochs=(10, 1000))
        for seed in seeds
    ]
    controls = [
        {"panel": panel, "class": "softmax", "loss": "cross_entropy", "direction": "forward", "seed": seed}
        | {"n_train": 2000, "control": control}
        for panel in ("realizable", "pretrained", "perturbed")
        for control in ("random", "other_task", "shuffled", "constant", "itself", "teachers_labels")
        for seed in seeds
    ]
    return _classification([*solved, *vertices, *random, *curves, *controls], "kl")


def digits(splits: tuple[str, ...] = ("0", "1", "2")) -> pd.DataFrame:
    """Cells of the digits: three teachers, two widths."""
    rows = []
    for weak in ("few_pixels", "small_net", "few_labels"):
        mixtures = [
            {"class": "mixture", "loss": "reverse_kl", "direction": direction, "noise": 0.0, "sharpening": 1.0}
            for direction in ("reverse", "forward")
        ]
        for split in splits:
            named = {"weak": weak, "split": split, "seed": 0, "n_train": 550}
            rows += [named | {"strong": "random-128"} | curve for curve in _curves(epochs=(3, 300))]
            rows += [named | {"strong": strong} | row for strong in ("random-128", "random-32") for row in mixtures]
            alone = {
                "class": "softmax",
                "loss": "cross_entropy",
                "direction": "forward",
                "noise": 0.0,
                "sharpening": 1.0,
            }
            alone |= {"strong": "random-128"}
            rows.append(named | alone | {"control": "teachers_labels"})
            rows += [
                named | alone | {"control": control, "weak": control, "lr": 0.01, "epoch": 300}
                for control in ("random", "shuffled")
                if weak == "small_net"
            ]
    return _classification(rows, "digits")


def _curves(epochs: tuple[int, ...]) -> list[dict]:
    return [
        {"class": "softmax", "loss": loss, "direction": direction, "lr": rate, "noise": noise, "sharpening": 1.0}
        | {"epoch": epoch}
        for _, loss, direction in STUDENTS[1:]
        for rate, noise in ((0.01, 0.0), (0.01, 0.3), (0.001, 0.0))
        for epoch in epochs
    ]


def _classification(rows: list[dict], experiment: str, tasks: int = 3) -> pd.DataFrame:
    """Measures of random predictions: a teacher that is a noisy truth, a student between the two."""
    generator, tables = np.random.default_rng(4), []
    for row in rows:
        truth = floored(generator.dirichlet(np.ones(3), size=(tasks, 60)), 0.001)
        teacher = floored(0.6 * truth + 0.4 * generator.dirichlet(np.ones(3), size=(tasks, 60)), 0.001)
        student = 0.5 * truth + 0.5 * teacher
        found = classification.measure(truth, teacher, student, truth, 0.001, 10)
        found |= classification.tightness_at(FLOORS, truth, teacher, student)
        models = {"weak": teacher, "student": student}
        found |= classification.scaled(truth, models, truth, models, 10)
        found |= classification.directed(row["direction"], truth, teacher, student)
        weak = {"weak_objective": 1.0, "weak_validation": float(row.get("epoch", 1))}
        tables.append(
            pd.DataFrame(found).assign(**({"weak": "weak", "strong": "strong"} | weak | row), task=range(tasks))
        )
    cells = pd.concat(tables, ignore_index=True).assign(experiment=experiment, epsilon=0.01, head=lambda x: x["class"])
    return cells.reindex(columns=[*COLUMNS, *classification.COLUMNS, *classification.raised(FLOORS)])


def preferences() -> pd.DataFrame:
    """Cells of the language-model study: three sets, three teachers, all panels."""
    teachers, noisy = (
        ("minilm", "smollm2-3", "smollm2-6"),
        ("cross_entropy", "reverse_kl", "reverse_cross_entropy", "squared_hellinger"),
    )
    kinds = [("smollm2-18", loss, "soft") for loss in ("cross_entropy", "reverse_kl", "confidence")]
    kinds += [("smollm2-18", "cross_entropy", "hard"), ("smollm2-6", "cross_entropy", "soft")]
    rows = [("main", weak, *kind, 0.0, 3) for weak in teachers for kind in kinds]
    rows.append(("distinct", "minilm", "smollm2-18", "cross_entropy", "soft", 0.0, 3))
    for weak in teachers[:2]:
        rows += [("noise", weak, "smollm2-18", loss, "soft", share, 3) for loss in noisy for share in (0.0, 0.3)]
        rows += [("curve", weak, "smollm2-18", loss, "soft", 0.0, epoch) for loss in noisy[:2] for epoch in (3, 30)]
    names = ("panel", "weak", "strong", "loss", "labels", "noise", "epoch")
    named = [
        dict(zip(names, row, strict=True))
        | {"dataset": dataset, "seed": seed, "direction": "forward", "class": "linear"}
        for dataset in ("harmless", "helpful", "sciq")
        for seed in (0, 1, 2)
        for row in rows
    ]
    cells, stream = _classification(named, "preferences", tasks=1), np.random.default_rng(5)
    levels = cells["weak"].map({"minilm": 0.6, "smollm2-3": 0.65, "smollm2-6": 0.7})
    for role, level in (("weak", levels), ("ceiling", 0.7), ("student", 0.66)):
        cells[f"{role}_accuracy"] = level + stream.normal(0, 0.005, len(cells))
    extra = {"head": "frozen", "lr": 0.01, "n_train": 400, "n_eval": 300, "pgr_defined": 1.0, "split": ""}
    cells = cells.assign(**extra, labels=[row["labels"] for row in named])
    cells["lr"] = cells["lr"].where(cells["panel"] != "curve", 0.0001)
    whole = cells.query("dataset == 'harmless' and panel == 'main' and seed == 0").head(1)
    return pd.concat([cells, whole.assign(head="full", gain_error=0.01)], ignore_index=True)


def molecules_scaling(splits: tuple[str, ...] = ("s0", "s1", "s2")) -> pd.DataFrame:
    """Cells of the study of weak labels in plenty: two teachers and a control, of the population and of the corpus."""
    own, corpus = [("own", 50, "part"), ("own", 677, "whole")], [("corpus", 50, "part"), ("corpus", 40000, "whole")]
    rows = [
        {"dataset": dataset, "split": split, "weak": weak, "control": control, "inputs": inputs, "n_train": size}
        | {"sample": sample, "effective": float(size), "freedom": 20.0, "auc": 0.95, "n_eval": 677, "n_teacher": 451}
        for dataset in ("esol", "freesolv", "lipop")
        for split in splits
        for weak, control in (("smiles-8", None), ("smiles-96", None), ("random", "random"))
        for inputs, size, sample in (*own, *corpus, ("weighted", 40000, "whole"))
    ]
    names = pd.DataFrame(rows).assign(panel="population", strong="minimol", head="ridge", seed=0)
    values = measures(np.random.default_rng(6), len(rows), 0.3, 0.1)
    return complete(pd.concat([names, values], axis=1), "molecules_scaling")


def essays(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study of essays: three teachers, two students, one also on fewer labels, and controls."""
    teachers, controls = (("surface", 6), ("words", 300), ("minilm", 384)), ("random", "shuffled", "constant", "itself")
    rows = [
        {"weak": weak, "weak_size": size, "strong": strong, "panel": "main", "n_train": 100, "seed": seed}
        for weak, size in teachers
        for strong in ("smollm2-12", "smollm2-18")
        for seed in seeds
    ]
    high = [
        row | {"strong": "smollm2-18"} for row in rows if row["weak"] == "surface" and row["strong"] == "smollm2-12"
    ]
    rows += [row | {"weak": kind, "control": kind} for row in high for kind in controls]
    rows += [row | {"control": "teachers_labels"} for row in high]
    rows += [
        row | {"weak": weak, "control": control, "panel": "scaling", "n_train": count}
        for row in (*high, *(row | {"strong": "smollm2-18-surface"} for row in high))
        for weak, control in (*((weak, None) for weak, _ in teachers), ("random", "random"), ("shuffled", "shuffled"))
        for count in (50, 600)
    ]
    rows += [
        row | {"weak": weak, "strong": "smollm2-18-surface", "panel": "joined"} for row in high for weak, _ in teachers
    ]
    names = pd.DataFrame(rows).assign(dataset="essays", head="ridge", inputs="half", n_eval=100)
    names["split"] = "s" + names["seed"].astype(str)
    values = measures(np.random.default_rng(7), len(rows), 0.3, 0.1)
    own = values[["weak_error", "student_error", "gain", "misfit", "cross_term", "epsilon", "bound"]].add_prefix(
        "train_"
    )
    return complete(pd.concat([names, values, own], axis=1), "essays")


def finetuning(dataset: str, teachers: tuple[str, ...], kinds: tuple[str, ...] = ("soft", "hard")) -> pd.DataFrame:
    """Cells of a network finetuned whole: students that gain first and lose later, and controls of the first seed."""
    looks = [("along", 0.5), ("along", 1.0), ("along", 3.0), ("stopped", 1.0)]
    wanted = [(weak, kind, "", seed) for weak in teachers for kind in kinds for seed in (0, 1, 2)]
    wanted += [(weak, "true", "teachers_labels", seed) for weak in teachers for seed in (0, 1)]
    others = [(teachers[0], "shuffled"), ("random", "random"), ("smollm2", "itself")]
    wanted += [(weak, "soft", control, seed) for weak, control in others for seed in (0, 1)]
    named = [
        {"weak": weak, "labels": kind, "control": control, "seed": seed, "panel": panel, "epoch": epoch}
        for weak, kind, control, seed in wanted
        for panel, epoch in looks
        if (kind, panel) != ("true", "stopped")
    ]
    shared = {
        "dataset": dataset,
        "strong": "smollm2",
        "direction": "forward",
        "class": "network",
        "loss": "cross_entropy",
    }
    cells, stream = _classification([row | shared for row in named], "finetuning", tasks=1), np.random.default_rng(6)
    rise = cells["epoch"].map({0.5: 0.0, 1.0: 0.05, 3.0: 0.02})
    for role, level in (("weak", 0.7), ("ceiling", 0.86), ("student", 0.72 + rise)):
        cells[f"{role}_accuracy"] = level + stream.normal(0, 0.004, len(cells))
    extra = {"head": "full", "inputs": "half", "n_train": 400, "n_eval": 300, "noise": 0.0, "sharpening": 1.0}
    extra |= {"pgr_defined": 1.0, "above_chance": 1.0, "gain_row_error": 0.01, "change_row_error": 0.005, "split": ""}
    blank = cells["control"].replace("", np.nan)
    return cells.assign(**extra, control=blank, labels=[row["labels"] for row in named])


def refinement(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: risk falls with the context, naive finetuning has a floor."""
    panels = {"angle-30": 0.13, "angle-50": 0.06, "angle-70": 0.014, "noisy": 0.03, "quiet": 0.1, "concepts-20": 0.06}
    sizes, spread = (0, 16, 64, 128), {seed: 1 + 0.01 * seed for seed in seeds}
    rows = [
        {"panel": panel, "seed": seed, "method": method, "head": head, "derived_rate": rate, "floor": 0.3, "angle": 30}
        | {"n_icl": n, "excess_risk": more * np.exp(-2 * rate * n)}
        for panel, rate in panels.items()
        for seed, more in spread.items()
        for method, head in (("refined", "limit"), ("refined", "sample"), ("in_context", "limit"))
        for n in sizes
    ]
    rows += [
        {**row, "method": method, "dependence": rho}
        for row in rows
        if row["method"] == "in_context"
        for method in ("broken", "shared")
        for rho in (0.01, 0.5)
    ]
    rows += [
        {
            **row,
            "method": "naive",
            "head": head,
            "n_icl": np.nan,
            "eta": eta,
            "excess_risk": row["excess_risk"] + eta / 9,
        }
        for row in rows
        if row["method"] == "refined" and row["head"] == "limit" and row["n_icl"] == 0
        for head in ("limit", "sample")
        for eta in (0.0, 0.3, 1.0)
    ]
    rows += [{**rows[0], "method": "untuned", "control": "untuned", "panel": panel} for panel in panels]
    return _of_risks(rows, "refinement")


def refinement_learned(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: two teachers, every method, and the learner beside Bayes."""
    rows = [
        {
            "weak": teacher,
            "seed": seed,
            "method": method,
            "control": control,
            "n_icl": n,
            "excess_risk": (1 + seed) / (9 + n),
        }
        for teacher in ("corrupted", "network", "bayes")
        for seed in seeds
        for method, control in (("refined", np.nan), ("in_context", np.nan), ("bayes", "bayes"), ("learner", "learner"))
        if (teacher == "bayes") == (method == "learner")
        for n in (0, 1, 8, 32)
    ]
    rows += [
        {**row, "method": method, "control": control, "n_icl": np.nan, "eta": eta}
        for row in rows
        if row["method"] == "refined" and row["n_icl"] == 0
        for method, control, eta in (
            ("naive", np.nan, 0.0),
            ("naive", np.nan, 1.0),
            ("gold", "gold", np.nan),
            ("untuned", "untuned", np.nan),
        )
    ]
    return _of_risks(rows, "refinement_learned")


def refinement_style(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: content and style of every method."""
    methods = [("refined", n, np.nan) for n in (0, 8)] + [("naive", np.nan, eta) for eta in (0.0, 0.3, 1.0)]
    methods += [("in_context", 8, np.nan), ("confidence", np.nan, np.nan)]
    methods += [(control, np.nan, np.nan) for control in ("untuned", "teacher", "gold")]
    rows = [
        {"panel": panel, "questions": half, "seed": seed, "method": method, "n_icl": n, "eta": eta}
        | {"control": method if method in ("untuned", "teacher", "gold") else np.nan}
        | {
            "content": 0.9 - 0.01 * seed - 0.1 * place / len(methods),
            "style": 0.1 * (place + seed / 9),
            "excess_risk": 0.1,
        }
        for panel in ("truthful", "mixed")
        for half in ("seen", "held_out")
        for seed in seeds
        for place, (method, n, eta) in enumerate(methods)
    ]
    return _of_risks(rows, "refinement_style")


def explanations(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: the more of the mask is used, the better, for misled teachers' students too."""
    methods = ("erm", "gradient", "average", "pgd", "interval", "interval_gradient")
    shown = [(world, method, "agreeing", "truth", "whole", 1) for world in ("decoy", "toy") for method in methods]
    shown += [("masks", "interval", "agreeing", "truth", mask, 0) for mask in ("partial", "wrong")]
    shown += [
        ("student", method, pool, labels, "whole", 0)
        for method in ("erm", "gradient", "pgd", "interval")
        for pool, labels in (("agreeing", "weak"), ("random", "weak"), ("random", "truth"), ("agreeing", "shuffled"))
    ]
    rows = [
        {"panel": panel, "method": method, "pool": pool, "labels": labels, "mask": mask, "chosen": chosen, "seed": seed}
        | {
            "control": {"truth": "gold", "shuffled": "shuffled"}.get(labels, np.nan)
            if mask != "wrong"
            else "random_mask"
        }
        | {
            "penalty": 10.0 * (method == "gradient"),
            "radius": 1.0 * (method not in ("erm", "gradient")),
            "slope": 0.01,
            "train_slope": 0.001,
        }
        | {
            f"{kind}_accuracy": 0.5 + 0.05 * methods.index(method) + 0.01 * seed
            for kind in ("worst", "student", "same")
        }
        | {"weak_accuracy": 0.3, "excess_risk": 0.3 - 0.05 * methods.index(method) - 0.01 * seed}
        for panel, method, pool, labels, mask, chosen in shown
        for seed in seeds
    ]
    cells = _of_risks(rows, "explanations")
    return cells.assign(split=cells["seed"].astype(str).where(cells["panel"] != "toy", ""))


def contrastive(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: the smaller alpha, the more preferred tokens and the less fluency; noise costs reward."""
    students = [("weak_sft", np.nan), ("confidence", np.nan), ("wspo", np.nan), ("cong_s", 0.4), ("cong_s", 1.0)]
    students += [("weak_sft_cold", np.nan), ("cong_s_cooled", 0.4), ("cong_cooled", 0.4)]
    students += [("cong", 0.4), ("cong_true", 0.4), ("gold", np.nan), ("untuned", np.nan), ("weak_untuned", np.nan)]
    written = [(method, alpha, 0.8) for method, alpha in students]
    written += [("decoded", alpha, 0.8) for alpha in (0.0, 0.4, 1.0)]
    written += [("cooled", alpha, 0.8 * alpha) for alpha in (0.4, 1.0)]
    written += [("sampled", np.nan, temperature) for temperature in (0.32, 0.8, 1.2)]
    controls = {"untuned": "untuned", "weak_untuned": "untuned", "gold": "gold", "cong_true": "gold"}
    rows = [
        {"seed": seed, "noise": noise, "method": method, "alpha": alpha, "temperature": temperature}
        | {"control": "shuffled" if noise == 0.5 else controls.get(method, np.nan)}
        | {"fluency": -1.5 - 0.5 * temperature - noise - 0.01 * seed + 0.3 * (alpha if alpha == alpha else 0.5)}
        | {"preferred": 0.4 - 0.1 * (alpha if alpha == alpha else 0.5) - 0.3 * noise + 0.01 * (seed + place)}
        | {"implicit": 0.5 - 0.2 * (alpha if alpha == alpha else 0.5) + 0.01 * seed, "excess_risk": 0.5 + noise}
        | {"rank_correlation": 0.5 - noise + 0.01 * seed, "kl": 0.2 + 0.01 * seed, "pairs_right": 0.4 + 0.01 * seed}
        for seed in seeds
        for noise in (0.0, 0.2, 0.4, 0.5)
        for place, (method, alpha, temperature) in enumerate(written)
    ]
    cells = _of_risks(rows, "contrastive")
    return cells.assign(reward=cells["fluency"] + 3 * cells["preferred"])


def aligner(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: corrections help, random ones do not, preferences cost helpfulness."""
    small = [("corrector", size, warmup, 1) for size, warmup in ((500, 0.0), (500, 0.3), (500, 0.5), (150, 0.0))]
    small += [("corrector", 500, 0.0, 2), ("direct", 500, 0.0, 1), ("direct", 150, 0.0, 1)]
    small += [(method, 500, 0.0, 1) for method in ("random", "identity")]
    shown = [
        {"panel": "corrector", "method": method, "n_train": size, "warmup": warmup, "iteration": iteration}
        | {"origin": origin, "upstream": origin, "decoding": "greedy"}
        for method, size, warmup, iteration in small
        for origin in ("seen", "unseen", "network")
    ]
    taught = [("raw", {}), ("corrected", {"iteration": 1}), ("dpo", {"beta": 0.1}), ("dpo", {"beta": 0.5})]
    taught += [(method, {}) for method in ("random", "likeliest", "gold", "untuned")]
    shown += [
        {"panel": "student", "method": method, "n_train": 1000, "origin": "network", "upstream": "network", **further}
        | {"decoding": decoding}
        for method, further in taught
        for decoding in ("sampled", "greedy")
    ]
    bad = {"random": -0.9, "identity": 0.0, "raw": 0.0, "untuned": 0.0, "likeliest": 0.2, "dpo": -0.3}
    rows = [
        row
        | {
            "seed": seed,
            "control": row["method"] if row["method"] in CONTROLS else np.nan,
            "helpful": 0.7 + 0.2 * bad.get(row["method"], 1) + 0.01 * seed,
            "helpful_before": 0.7 + 0.01 * seed,
            "helpful_improvement": bad.get(row["method"], 0.5) + 0.01 * seed,
            "harmless_improvement": 0.3 + 0.01 * seed,
            "kept": 0.9 + 0.01 * seed,
            "excess_risk": 0.1 + 0.01 * seed,
        }
        for row in shown
        for seed in seeds
    ]
    return _of_risks(rows, "aligner").assign(n_train=[row["n_train"] for row in rows])


def refinement_lm(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: style is taken over, content stays."""
    methods = [("in_context", n) for n in (1, 2, 4, 8)] + [(name, n) for name in ("shuffled", "gold") for n in (2, 8)]
    rows = [
        {"panel": "sciq", "seed": seed, "method": method, "n_icl": n, "excess_risk": 0.1}
        | {"control": method if method != "in_context" else np.nan}
        | {"content": 0.6 + 0.01 * seed, "style": 0.1 * n + 0.01 * seed, "stated": 0.1 + 0.01 * seed}
        for seed in seeds
        for method, n in [*methods, ("untuned", 0), ("teacher", 0)]
    ]
    return _of_risks(rows, "refinement_lm")


def _of_risks(rows: list[dict], experiment: str) -> pd.DataFrame:
    cells = pd.DataFrame(rows)
    weak = cells.get("weak", "weak")
    risks = {
        "student_error": cells["excess_risk"],
        "weak_error": 0.5,
        "gain": 0.5 - cells["excess_risk"],
        "misfit": 0.2,
    }
    return _complete(cells.assign(cross_term=0.0, **risks), experiment).assign(weak=weak)


def bregman(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of projections and of mixed heads: the farther the truth, the more misfit exceeds gain."""
    shared = {"generator": "kl", "loss": "projection", "heads": 8, "classes": 5, "outside": 0.0}
    rows = [
        shared | {"panel": "hull", "generator": name, "outside": outside}
        for name in ("kl", "drawn")
        for outside in (0.0, 1.0)
    ]
    heads = [("reverse_kl", count) for count in (1, 100, 500)] + [("forward_kl", 1)]
    for loss, count in heads:
        student = {"loss": loss, "heads": count}
        rows += [shared | student | {"panel": "synthetic", "outside": outside} for outside in (0.0, 0.5, 1.0)]
        rows += [
            shared | student | {"panel": "synthetic", "classes": 3},
            shared | student | {"panel": "digits", "classes": 10},
        ]
    table = pd.DataFrame([row | {"seed": seed} for row in rows for seed in seeds])
    values = measures(np.random.default_rng(8), len(table), 0.0, 0.0)
    short = table["outside"] * (1 + 1 / table["heads"]) * values["misfit"] * 0.1
    short[table["panel"] == "digits"] = 0.01 / table["heads"]
    values = values.assign(cross_term=short, gain=values["misfit"] - short, epsilon=table["outside"] * 0.1)
    values = values.assign(weak_error=values["student_error"] + values["gain"])
    split = table["seed"].astype(str).where(table["panel"] == "digits", "")
    extra = {
        "dataset": table["panel"],
        "split": split,
        "weak": "w",
        "strong": "s",
        "direction": "reverse",
        "certificate": 1e-6,
    }
    extra |= {"weak_accuracy": 0.6, "student_accuracy": 0.7 + 0.01 * table["seed"]}
    return complete(pd.concat([table, values], axis=1).assign(**extra), "bregman")


def bregman_text(splits: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of mixed heads on two text sets: heads help, rows that were learned from are nearer to equality."""
    students = [("reverse_kl", count, np.nan) for count in (1, 100, 500)]
    students += [("forward_kl", 1, np.nan), ("reverse_kl", 1, "shuffled"), ("reverse_kl", 20, "shuffled")]
    table = pd.DataFrame(
        {"dataset": dataset, "inputs": inputs, "loss": loss, "heads": heads, "control": control, "seed": split}
        for dataset in ("sst2", "sciq")
        for inputs in ("fresh", "reused")
        for loss, heads, control in students
        for split in splits
    )
    values = measures(np.random.default_rng(9), len(table), 0.0, 0.0)
    short = values["misfit"] * np.where(table["inputs"] == "fresh", 0.2, 0.01) * (1 + 1 / table["heads"])
    values = values.assign(cross_term=short, gain=values["misfit"] - short)
    values = values.assign(weak_error=values["student_error"] + values["gain"])
    extra = {"panel": "text", "split": table["seed"].astype(str), "weak": "w", "strong": "s", "direction": "reverse"}
    extra |= {"weak_accuracy": 0.6, "student_accuracy": 0.7 + 0.01 * table["seed"]}
    return complete(pd.concat([table, values], axis=1).assign(**extra), "bregman_text")


def gallery(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the six items, each near its prediction."""
    smooth, memorises = ([f"{kind}, α = {alpha}" for alpha in (0.1, 0.3)] for kind in ("smooth", "memorises"))
    series = {
        "subspaces": (["shared 0", "shared 10", "tilted 10", "shared 20"], (25, 400, 1000)),
        "random_features": (["linear", "linear, not stopped", "relu", "relu, not stopped"], (16, 32, 64, 128)),
        "masking": (["n < p", "n > p"], (100, 250, 500)),
        "expansion": ([*smooth, *memorises], (1, 5, 120)),
        "posterior_mean": (["800 features", "100 features", "20 features"], (1, 20)),
        "spiked": (["n = 32", "n = 128", "n = 512", "n = 128, shared errors"], (0.8, 1.4, 1.7)),
    }
    rows = [
        {"panel": panel, "setting": setting, "level": float(level), "seed": seed}
        for panel, (settings, levels) in series.items()
        for setting in settings
        for level in levels
        for seed in seeds
    ]
    table, generator = pd.DataFrame(rows), np.random.default_rng(9)
    values = measures(generator, len(table), 0.3, 0.1)
    grey = table["setting"].str.contains("not stopped|memorises|shared errors") | (table["level"] == 25)
    predicted = values["student_error"]
    more = {
        "x": table["level"],
        "regime": np.where(grey, "outside", "inside"),
        "predicted": predicted,
        "exact": predicted,
    }
    more |= {"measured": predicted * generator.uniform(0.98, 1.02, len(table)), "best_kept": 229.0, "threshold": 1.4}
    base = table["setting"].str.extract(r"n = (\d+)")[0].astype(float)
    more |= {"base": base, "snr": values["misfit"], "predicted_snr": values["misfit"] * 1.01}
    more |= {"bound_excess": -0.1, "coverage_excess": -0.1, "dataset": table["panel"], "weak": "w", "strong": "s"}
    return complete(pd.concat([table, values], axis=1).assign(**more), "gallery")


def feature_learning(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study: hard-only error falls with B on a small map; along training it falls and rises again."""
    sizes = product((10, 160), (10_000, 1_000_000), (0.5, 8.0), (0.125, 0.5))
    scarce = [
        {"panel": "scarce", "n_train": n, "dimension": d, "strength": q, "both": b, "moment": "final", "step": 300}
        | {
            "bridge_ratio": n * b**2 * q,
            "signal_ratio": n * (q / d) ** 0.5,
            "student_hard_error": 0.5 / (1 + n * b**2 * q / 3),
        }
        for n, d, q, b in sizes
    ]
    moments = [("look", 1, 0.4), ("look", 10, 0.1), ("look", 100, 0.3), ("final", 100, 0.3)]
    moments += [("others", 10, 0.1), ("validated", 100, 0.3), ("least_loss", 100, 0.3)]
    along = [
        {
            "panel": panel,
            "n_train": 3000,
            "dimension": 300,
            "strength": 0.9,
            "both": both,
            "moment": moment,
            "step": step,
        }
        | {"bridge_ratio": 640.0, "signal_ratio": 160.0, "student_hard_error": 0.5 if both == 0 else hard}
        for panel in ("abundant", "digits")
        for both in (0.0, 0.5)
        for moment, step, hard in moments
    ]
    every: list[dict] = [*scarce, *along]
    ends = [row for row in every if row["moment"] == "final"]
    rows = [{**row, "strong": "relu"} for row in every]
    rows += [{**row, "strong": "linear", "control": "linear", "student_hard_error": 0.5} for row in ends]
    table = pd.concat([pd.DataFrame(rows).assign(seed=seed) for seed in seeds], ignore_index=True)
    table["split"] = table["seed"].astype(str).where(table["panel"] == "digits", "")
    few = table[(table["panel"] == "abundant") & (table["both"] == 0.5)].assign(both=0.1)
    table = pd.concat([table, few], ignore_index=True)
    generator = np.random.default_rng(8)
    weak, student = 0.15, 0.3 * table["student_hard_error"] + generator.uniform(0, 0.01, len(table))
    measured: dict[str, float] = dict.fromkeys(("student_easy_error", "student_both_error"), 0.01)
    measured |= {"fitted": 1.0, "clean": 1.0, "righted": 0.8, "along_easy": 0.5, "along_hard": 0.3, "along_noise": 0.2}
    cells = table.assign(
        **{"weak": "linear", "head": "relu", "hard": 0.3, "task": 0, "weak_error": weak, "student_error": student},
        **{"gain": weak - student, "misfit": 0.2, "ceiling_error": 0.01, "weak_hard_error": 0.5, **measured},
    )
    return complete(cells.assign(cross_term=(cells["misfit"] - cells["gain"]) / 2), "feature_learning")


def selective(units: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of selected labels: P(IK) of the task helps, of another less, shuffled not at all."""
    auroc = {"own": 0.8, "other": 0.6, "margin": 0.55, "shuffled_ik": 0.5}
    plain = ("naive", "confidence", "smoothing", "self", "gold")
    rows = [{"panel": "main", "method": method} for method in plain]
    rows += [{"panel": "main", "method": method, "pik": pik} for method in ("selection", "full") for pik in auroc]
    rows += [{"panel": "main", "method": "naive", "control": name} for name in ("shuffled_labels", "constant")]
    rows += [
        {"panel": "tau", "method": method, "pik": pik, "level": tau}
        for method, pik in (("selection", "own"), ("full", "own"), ("selection", "other"))
        for tau in (0.0, 0.7, 1.0)
    ]
    rows += [
        {"panel": "coverage", "method": "selection", "pik": pik, "level": share}
        for pik in auroc
        for share in (0.25, 1.0)
    ]
    names = ("sst2", "sciq", "boolq", "clusters", "clusters-right")
    table = pd.DataFrame([row | {"dataset": name, "unit": unit} for row in rows for name in names for unit in units])
    drawn, generator = table["dataset"].str.startswith("clusters"), np.random.default_rng(10)
    table["control"] = table.get("control").where(table["pik"] != "shuffled_ik", "shuffled_ik")
    better = table["pik"].map(auroc).fillna(0.5).to_numpy() - 0.5
    accuracy = 0.6 + better + generator.uniform(0, 0.01, len(table))
    values = measures(generator, len(table), 0.0, 0.0)
    cells = table.drop(columns="unit").assign(
        split=table["unit"].astype(str).where(~drawn, ""),
        seed=table["unit"].where(drawn, 0),
        trained_on="",
        weak=np.where(drawn, "clusters", "minilm"),
        student_accuracy=np.where(table["control"] == "shuffled_labels", 0.5, accuracy),
        weak_accuracy=0.6,
        ceiling_accuracy=0.9,
        label_accuracy=accuracy,
        self_accuracy=0.75,
        auroc=0.5 + better + generator.uniform(0, 0.01, len(table)),
        risk=0.4 + 0.1 * table["level"].fillna(1.0) + generator.uniform(0, 0.01, len(table)),
        direction="forward",
        task=0,
    )
    return complete(pd.concat([cells, values], axis=1), "selective")


def vision(seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of the study of images: misfit exceeds gain, less with more weak labels."""
    sets = [("cross_entropy", kind, count) for kind in ("soft", "hard") for count in (375, 6000)]
    rows = [
        {"weak": f"cnn-{labels}", "loss": loss, "labels": kind, "n_train": count, "weak_accuracy": 0.3 + labels / 40000}
        for loss, kind, count in [*sets, ("reverse_kl", "soft", 6000)]
        for labels in (1000, 4000, 8000)
    ]
    own = {"loss": "cross_entropy", "labels": "soft", "n_train": 6000, "weak_accuracy": 0.1}
    rows += [own | {"weak": name, "control": name} for name in ("random", "shuffled", "constant", "itself")]
    rows += [own | {"weak": f"cnn-{count}", "control": "teachers_labels"} for count in (1000, 4000, 8000)]
    table = pd.DataFrame([row | {"seed": seed} for row in rows for seed in seeds])
    generator = np.random.default_rng(10)
    misfit = generator.uniform(0.1, 0.3, len(table)) + (table["n_train"] == 375) * 0.1
    gain = 0.2 * misfit
    known = table["control"].isna() | table["control"].isin(["itself", "teachers_labels"])
    parts = {"gain_right": -0.5 * gain, "gain_wrong": 1.5 * gain, "misfit_right": 0.6 * misfit}
    parts |= {"misfit_wrong": 0.4 * misfit, "gain_reachable": 0.8 * misfit, "gain_scaled": 1.1 * gain}
    parts |= {"dual_gain": 0.9 * misfit, "dual_misfit": misfit, "own_gain": 0.3 * misfit, "own_misfit": 0.9 * misfit}
    parts |= {"own_dual_gain": misfit, "own_dual_misfit": misfit}
    parts |= {"misfit_scaled": 1.05 * misfit, "explained": 0.7, "copied": 0.5, "weak_ece": 0.05, "student_ece": 0.1}
    parts |= {"student_accuracy": np.where(known, 0.5, 0.1), "ceiling_accuracy": 0.7, "error_correlation": 0.5}
    cells = table.assign(**parts, misfit=misfit, gain=gain, cross_term=misfit - gain, weak_error=1.5)
    cells = cells.assign(student_error=1.5 - gain, ceiling_error=0.8, dataset="images", strong="lite0-128", task=0)
    last = cells[cells["control"].isna() & (cells["n_train"] == 6000)]
    more = [last.assign(strong=name) for name in ("lite0-128-100", "lite2-128", "lite0-224")]
    early = [last.assign(strong=name, epoch=epoch) for name in ("lite0-128", "lite0-128-block") for epoch in (1, 3)]
    cells = pd.concat([cells.assign(epoch=10), *(part.assign(epoch=10) for part in more), *early], ignore_index=True)
    return complete(cells.assign(head="softmax", direction="reverse", inputs="fresh"), "vision")


def shift(panels: tuple[str, ...] = ("synthetic", "images"), seeds: tuple[int, ...] = (0, 1, 2)) -> pd.DataFrame:
    """Cells of pools of teachers: RAVEN a little better than the even ensemble, the repaired one more so."""
    domains = {
        "synthetic": (("source", "in"), ("shifted", "out"), ("confident", "out")),
        "images": (("own", "in"), ("noise", "out")),
        "preferences": (("helpful", "in"), ("harmless", "out")),
    }
    last, teachers = {"synthetic": 30, "images": 50, "preferences": 20}, ("spurious 0.85", "spurious 0.6", "spurious 0")
    default = {"varied": "default", "rate": 0.001, "easy": 0.5, "weak": "pool", "control": np.nan, "weight": np.nan}
    students = [default | {"method": name} for name in RAVENS]
    students += [default | {"method": name, "rate": 0.0, "easy": 0.0} for name in BASELINES]
    students += [default | {"method": "single", "weak": name} for name in teachers]
    students += [default | {"method": "raven", "varied": "easy", "easy": share} for share in (0.0, 0.5)]
    students += [default | {"method": "raven_kl", "varied": "easy", "easy": share} for share in (0.0, 0.5)]
    students += [
        default | {"method": name, "varied": "rate", "rate": rate}
        for name in RAVENS[:2]
        for rate in (0.0001, 0.001, 0.01)
    ]
    students.append(default | {"method": "gold", "control": "gold"})
    for control in ("shuffled", "constant"):
        students.append(default | {"method": "single", "weak": control, "control": control})
        pool = {"weak": f"pool and {control}", "control": control, "control_weight": 0.01}
        students += [default | pool | {"method": name} for name in (*RAVENS[:2], "uniform")]
    followed = [
        default | {"method": name, "weak": teacher, "weight": 0.2 + 0.13 * place, "early": early}
        for name in RAVENS
        for place, teacher in enumerate(teachers)
        for early in (True, False)
    ]
    rows = [
        {"panel": panel, "domain": domain, "shift": where, "seed": seed, "epoch": last[panel] // (1 + early), **student}
        for panel in panels
        for domain, where in domains[panel]
        for seed in seeds
        for student in (*students, *followed)
        for early in (bool(student.get("early")),)
    ]
    table = pd.DataFrame(rows).drop(columns="early")
    generator = np.random.default_rng(12)
    values = measures(generator, len(table), 0.0, 0.0)
    accuracy = 0.6 + 0.03 * table["method"].isin(RAVENS) + 0.01 * generator.random(len(table)) + 0.01 * table["seed"]
    extra = {
        "dataset": table["panel"],
        "split": table["seed"].astype(str).where(table["panel"] != "synthetic", ""),
        "direction": "reverse",
        "student_accuracy": accuracy,
        "weak_accuracy": 0.5 + 0.1 * table["weight"].fillna(0.3) + 0.001 * table["seed"],
        "mean_teacher_accuracy": 0.54,
        "agreed_accuracy": 0.9 + 0.01 * table["seed"],
        "largest_weight": 0.6 + 0.01 * table["seed"],
        "label_entropy": 1.0,
    }
    return complete(pd.concat([table, values], axis=1).assign(**extra), "shift")


def everything() -> dict[str, pd.DataFrame]:
    """Cells of all experiments and studies, by folder."""
    return {
        "results/synthetic": synthetic(),
        "results/molecules": molecules(),
        "results/kl": kl(),
        "results/digits": digits(),
        "published/molecules_study": molecules()
        .query("ladder == 'smiles' and seed == 0 and regime == 'full' and control.isna()")
        .assign(training="finetuned"),
        "published/molecules_scaling": molecules_scaling(),
        "published/realizability": realizability(),
        "published/pretrainings": realizability().query("schedule == 'sequential' and epochs == 1000"),
        "published/preferences": preferences(),
        "published/refinement": refinement(),
        "published/refinement_learned": refinement_learned(),
        "published/refinement_style": refinement_style(),
        "published/refinement_lm": refinement_lm(),
        "published/feature_learning": feature_learning(),
        "published/finetuning": finetuning("sst2", ("tfidf-2000", "tfidf-300", "minilm-300")),
        "published/bregman": bregman(),
        "published/essays": essays(),
        "published/contrastive": contrastive(),
        "published/explanations": explanations(),
        "published/aligner": aligner(),
        "published/bregman_text": bregman_text(),
        "published/gallery": gallery(),
        "published/selective": selective(),
        "published/vision": vision(),
        "published/shift": shift(),
        "published/shift_images": shift(("images",)),
        "published/shift_preferences": shift(("preferences",)),
        "published/finetuning_sciq": finetuning("sciq", ("smollm2-3", "smollm2-6", "smollm2-12"), ("soft",)),
    }


def repository(folder: Path, tables: dict[str, pd.DataFrame]) -> Path:
    """A folder with the repository's settings, claims and notebooks, and these cells (key: folder below the root)."""
    params = YAML().load(ROOT / "params.yaml")
    params["experiments"] = [name.split("/")[1] for name in tables if name.startswith("results/")]
    for name in set(params) - {"experiments", "intervals", *params["experiments"]}:
        del params[name]
    for name in set(params["experiments"]) - set(params):
        params[name] = {}
    params["intervals"]["resamples"] = 100
    YAML().dump(params, folder / "params.yaml")
    for name in ("sources.yaml", "glossary.yaml", "objects.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for kind in ("claims/*.yaml", "notebooks/*.ipynb", "studies/*.yaml"):
        for path in ROOT.glob(kind):
            (folder / path.parent.name).mkdir(exist_ok=True)
            (folder / path.parent.name / path.name).write_bytes(path.read_bytes())
    for name, cells in tables.items():
        (folder / name).mkdir(parents=True)
        cells.to_csv(folder / name / "cells.csv", index=False)
    for experiment in {"kl", "digits"} & set(params["experiments"]):
        diagrams(experiment).to_csv(folder / "results" / experiment / "reliability.csv", index=False)
    return folder


def diagrams(experiment: str) -> pd.DataFrame:
    """Reliability diagrams in four bins of one teacher, over three seeds or splits."""
    bins = pd.DataFrame({"bin": range(4), "count": [0.0 + n for n in (5, 10, 20, 40)]})
    bins["confidence"] = (bins["bin"] + 0.5) / 4
    rows = [
        bins.assign(role=role, split=str(unit), seed=unit, frequency=bins["confidence"] ** power)
        for unit in range(3)
        for role, power in (("weak", 2.0), ("student", 1.3), ("ceiling", 1.0))
    ]
    return pd.concat(rows, ignore_index=True).assign(experiment=experiment, weak="few_pixels", strong="random-128")


def _complete(cells: pd.DataFrame, experiment: str) -> pd.DataFrame:
    cells = cells.assign(
        experiment=experiment, dataset="", split="", weak="weak", strong="strong", n_train=2000, n_eval=2000
    )
    return cells.reindex(columns=[*COLUMNS, *(name for name in cells if name not in COLUMNS)])
