"""Text sets made fit for training: texts and labels checked, equal pairs left out, prompts compared between parts."""

import re
import sys
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipeline.core import streams
from pipeline.core.errors import InputError
from pipeline.experiments.preferences.settings import TextSet

PARTS = ("truth", "weak", "test")
MOST_CONFLICTS = 0.05  # share of rows; beyond it the column of labels is not what it seems
FEWEST = 20  # rows of the rarer class, so that no third of the rows at random lacks it


def formatted(name: str, part: str, table: pd.DataFrame, settings: TextSet, seed: int) -> pd.DataFrame:
    """Columns `chosen`, `rejected` (preference) or `text`, `label` (classification), and the normalised `prompt`."""
    stream = streams.generator(seed, f"preferences/{name}/{part}/format")
    made = FORMATS[settings.format](table, stream)
    texts = ["chosen", "rejected"] if settings.task == "preference" else ["text"]
    where = f"text set '{name}', {part}"
    for column in texts:
        are_texts(made[column], settings.columns.get(column, column), f"{where}:", f"data.datasets.{name}.columns")
    if settings.task == "classification":
        made["label"] = _labels(where, made["label"], settings)
    named = settings.separator if "separator" in settings.model_fields_set else None
    if named and not any(named in text for text in made[texts[0]]):
        raise InputError(
            f"{where}: no {texts[0]} holds the separator {named!r}; correct it in {{where}}, or drop it: "
            "then the whole text is the prompt"
        )
    return made.assign(prompt=[prompt(text, settings.separator) for text in made[texts[0]]])


def prompt(text: str, separator: str | None) -> str:
    """What stands before the last separator (all, where there is none), in lower case, letters and digits only."""
    before = text.rsplit(separator, 1)[0] if separator else text
    return " ".join(re.findall(r"\w+", before.lower()))


def both_classes(name: str, table: pd.DataFrame, labels: np.ndarray) -> None:
    """Raise InputError where a part has one class alone, or the set so few rows of one that some draw will."""
    count = int(min((labels > 0.5).sum(), (labels <= 0.5).sum()))
    label, rest = int((labels > 0.5).mean() < 0.5), f"of {len(labels)} rows"
    if count < FEWEST:
        raise InputError(
            f"text set '{name}': {count} {rest} have the label {label}; at least {FEWEST} are needed, for each part to "
            f"have some: add such rows, or raise data.datasets.{name}.sizes in {{where}}"
        )
    for part in PARTS:
        own = labels[(table["part"] == part).to_numpy()] > 0.5
        if own.all() or not own.any():
            raise InputError(
                f"text set '{name}', {part}: all {len(own)} labels are {int(own.any())}; shuffle the rows, or raise "
                f"data.datasets.{name}.sizes.{part} in {{where}}"
            )


def count_conflicts(name: str, tables: Iterable[pd.DataFrame]) -> int:
    """Rows that contradict another one of the same file; told on stderr.  Raises InputError where they are many."""
    found = [conflicts(table) for table in tables]
    count, total = sum(int(own.sum()) for own in found), sum(map(len, found))
    told = f"text set '{name}': {count} of {total} rows stand with another label, or the other way round, as well"
    if count > MOST_CONFLICTS * total:
        row = int(next(own for own in found if own.any()).argmax())
        raise InputError(f"{told}, as row {row}; correct or drop them, or look whether the columns are the right ones")
    if count:
        print(f"{told}; of one prompt the first row is used", file=sys.stderr)
    return count


def conflicts(table: pd.DataFrame) -> np.ndarray:
    """Whether each row's text also stands with another label, or its pair also the other way round; (n,) bool."""
    if "chosen" in table:
        pairs = list(zip(table["chosen"], table["rejected"], strict=True))
        known = set(pairs)
        return np.array([a != b and (b, a) in known for a, b in pairs], dtype=bool)
    return (table.groupby("text")["label"].transform("nunique") > 1).to_numpy(dtype=bool)


def without_equal_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs whose texts differ; all rows of a classification set."""
    return table[table["chosen"] != table["rejected"]] if "chosen" in table else table


def divided(name: str, pool: pd.DataFrame, sizes: Mapping[str, int], seed: int) -> dict[str, pd.DataFrame]:
    """Parts of a pool that share no prompt: the first row of each prompt, in random order, cut by ``sizes``."""
    pool = pool.drop_duplicates("prompt")
    if len(pool) < sum(sizes.values()):
        raise InputError(
            f"text set '{name}': {len(pool)} different prompts are fewer than the {sum(sizes.values())} of its sizes; "
            f"lower data.datasets.{name}.sizes in {{where}}"
        )
    order = streams.generator(seed, f"preferences/{name}/parts").permutation(len(pool))
    ends = np.cumsum([sizes[part] for part in PARTS])
    return {part: pool.iloc[rows] for part, rows in zip(PARTS, np.split(order, ends), strict=False)}


def shared_prompts(parts: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Rows of the first part whose normalised prompt also stands in the second, by `first/second`."""
    pairs = (("truth", "test"), ("weak", "test"), ("truth", "weak"))
    return {f"{a}/{b}": int(parts[a]["prompt"].isin(set(parts[b]["prompt"])).sum()) for a, b in pairs}


def are_texts(values: pd.Series, column: str, where: str, key: str) -> None:
    """Raise InputError at the first value that is no text, or where all are numbers written out: labels, or ids."""
    for row, value in enumerate(values):
        if (
            value is None
            or (isinstance(value, float) and np.isnan(value))
            or (isinstance(value, str) and not value.strip())
        ):
            raise InputError(f"{where} row {row} has an empty {values.name} (column '{column}'); drop the row")
        if not isinstance(value, str):
            kind = "a number" if isinstance(value, int | float | np.number) else f"a {type(value).__name__}"
            raise InputError(
                f"{where} row {row} has {kind} under '{column}', where {values.name} needs text; correct {key} "
                "in {where}"
            )
    if pd.to_numeric(values, errors="coerce").notna().all():
        raise InputError(
            f"{where} all of '{column}' are numbers, as '{values.iloc[0]}', where {values.name} needs text; correct "
            f"{key} in {{where}}"
        )


def _labels(where: str, labels: pd.Series, settings: TextSet) -> np.ndarray:
    """Labels in [0, 1], (n,): numbers, true and false, or two words one of which is 1."""
    if settings.positive is not None:
        words = labels.astype(str)
        found = list(dict.fromkeys(words))
        if len(found) > 2 or settings.positive not in found:
            raise InputError(
                f"{where}: the labels are {_some(found)}, not two words with '{settings.positive}' among them; correct "
                "positive or columns.label in {where}"
            )
        return (words == settings.positive).to_numpy(dtype=np.float64)
    numbers = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=np.float64)
    bad = ~((numbers >= 0) & (numbers <= 1))
    if bad.any():
        row, found = int(bad.argmax()), list(dict.fromkeys(labels.astype(str)))
        hint = "a label lies between 0 and 1"
        if len(found) == 2 and np.isnan(numbers).all():
            hint = f"say which of {_some(found)} is 1 as `positive:` beside columns in {{where}} (--positive)"
        elif np.isnan(numbers).all():
            hint = "a label is a number between 0 and 1; are the columns of text and label exchanged?"
        raise InputError(f"{where}: row {row} has the label {str(labels.iloc[row])[:40]!r}; {hint}")
    return numbers


def _some(values: list[str]) -> str:
    shown = ", ".join(f"'{value[:20]}'" for value in values[:4])
    return f"{shown}, ..." if len(values) > 4 else shown


def _sciq(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Burns et al.: the correct answer or one random distractor, by a coin."""
    right, which = stream.random(len(table)) < 0.5, stream.integers(1, 4, len(table))
    options = table[["distractor1", "distractor2", "distractor3"]].to_numpy()
    answers = np.where(right, table["correct_answer"], options[np.arange(len(table)), which - 1])
    texts = [f"Q: {question} A: {answer}" for question, answer in zip(table["question"], answers, strict=True)]
    return pd.DataFrame({"text": texts, "label": right.astype(np.float64)})


def _boolq(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    """Burns et al.: the passage, then the question; the label is its answer."""
    texts = [
        f"Passage: {passage}\nQuestion: {ask}" for passage, ask in zip(table["passage"], table["question"], strict=True)
    ]
    return pd.DataFrame({"text": texts, "label": table["answer"].astype(np.float64)})


def _as_it_is(table: pd.DataFrame, stream: np.random.Generator) -> pd.DataFrame:
    return table.reset_index(drop=True)


FORMATS = {"plain": _as_it_is, "sciq": _sciq, "boolq": _boolq}
