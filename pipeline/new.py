"""A study on data of your own, from a table.  -> studies/<name>.yaml, claims/<name>.yaml, pipeline/figures/<name>.py

python -m pipeline.new text reviews --file reviews.tsv --text sentence --label positive
python -m pipeline.new preference answers --file answers.jsonl.gz --chosen better --rejected worse
python -m pipeline.new regression essays --file essays.csv --text full_text --label score
python -m pipeline.new regression solubility --file molecules.csv --smiles smiles --label logS

Tables are CSV, TSV, JSON lines or Parquet, plain or compressed (.gz, .xz, .bz2); texts and preferences may come in
three files instead (--truth, --weak, --test).  The table is copied to data/own/, which git ignores.  What is written is
checked against it first, and nothing is replaced.  Then `python -m pipeline.study <name>` runs, publishes and draws it.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.core import artifacts, config, experiments, files, tabular
from pipeline.core.errors import InputError, command_line
from pipeline.experiments.preferences.common import texts
from pipeline.experiments.preferences.common.texts import PARTS
from pipeline.own import templates

KINDS = {"text": ("text", "label"), "preference": ("chosen", "rejected"), "regression": ("label",)}
READ_AS_TEXT = ("text", "chosen", "rejected")  # roles
MOST_ROWS = {"text": 3000, "preference": 2400, "regression": 1800}  # of all three parts, unless --rows says otherwise
READ = 300_000  # tokens that a study reads unless --rows says otherwise: a few minutes on two cores
CHARACTERS = 4  # of a token, about
MAX_TOKENS = 128
FOLDER = files.SHIPPED / files.OWN
FIGURES = Path(__file__).parent / "figures"


def main() -> None:
    """Write the study that the command line describes."""
    chosen = _arguments()
    try:
        print(create(chosen.kind, chosen.name, _tables(chosen), _columns(chosen), chosen))
    except InputError as error:  # of checks that a study's stages make, too
        raise InputError(str(error).replace("{where}", "the command")) from None


def create(
    kind: str, name: str, tables: Mapping[str, Path], columns: Mapping[str, str], chosen: argparse.Namespace
) -> str:
    """Copy the tables, write the files of a study, check them; returns what to do next.

    Raises InputError where a name is taken or the data are at fault; then nothing is left behind.
    """
    targets = _targets(name)
    copies = {
        part: FOLDER / f"{name}{'' if part == 'pool' else f'_{part}'}{_ending(path)}" for part, path in tables.items()
    }
    written = (*targets.values(), *copies.values())
    taken = [str(path) for path in written if path.exists()]
    if taken:
        raise InputError(f"{taken[0]} is there already; choose another name, or delete that study's files first")
    read = {part: _read(path, columns, name) for part, path in tables.items()}
    rows = _rows(kind, read, chosen.separator, chosen.rows)
    about = {
        "name": name,
        "file": ", ".join(path.name for path in tables.values()),
        "columns": dict(columns),
        "rows": rows,
        "positive": chosen.positive,
        "separator": chosen.separator,
        "sources": {
            part: (copy.relative_to(files.SHIPPED).as_posix(), artifacts.sha256(tables[part]))
            for part, copy in copies.items()
        },
        "max_tokens": MAX_TOKENS,
    }
    try:
        for part, copy in copies.items():
            artifacts.write_bytes(copy, tables[part].read_bytes())
        for what, path in targets.items():
            artifacts.write_bytes(path, templates.WRITTEN[what](kind, about).encode())
        _checked(name)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    _list_source(name, templates.source(kind, about))
    return _told(name, kind, rows, targets)


def _targets(name: str) -> dict[str, Path]:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"the name is '{name}'; take lower-case letters, digits and _, with a letter first")
    known = {*config.experiments(), *experiments.studies(), *(path.stem for path in experiments.HOME.iterdir())}
    if name in known:
        raise InputError(f"the name '{name}' is taken by an experiment; choose another")
    return {
        "study": experiments.STUDIES / f"{name}.yaml",
        "claims": Path("claims") / f"{name}.yaml",
        "figures": FIGURES / f"{name}.py",
    }


def _read(path: Path, columns: Mapping[str, str], name: str) -> pd.DataFrame:
    if not path.exists():
        raise InputError(f"{path} is missing; give the path of the table")
    table = tabular.columns(tabular.read(path, f"study '{name}'"), columns, str(path), "--{role}")
    for role in (role for role in READ_AS_TEXT if role in table):
        texts.are_texts(table[role], columns[role], f"{path}:", f"--{role}")
    return table


def _rows(kind: str, tables: Mapping[str, pd.DataFrame], separator: str | None, asked: int | None) -> dict[str, int]:
    """Rows of each part: those asked for, or as many as are read in minutes; an equal share of a pool."""
    whole = pd.concat(tables.values())
    read = [role for role in READ_AS_TEXT if role in whole]
    characters = sum(whole[role].astype(str).str.len().clip(upper=CHARACTERS * MAX_TOKENS).mean() for role in read)
    most = asked or (min(MOST_ROWS[kind], int(READ * CHARACTERS / characters)) if characters else MOST_ROWS[kind])
    if "pool" not in tables:
        return {part: min(len(table), most // 3) for part, table in tables.items()}
    distinct = _distinct(whole, separator)
    if asked and asked > distinct:
        raise InputError(f"--rows is {asked}, but the table holds {distinct} different ones; lower it")
    third = min(distinct, most) // 3
    if third < 20:
        raise InputError(f"there are {distinct} different rows; a study needs 60 at least, and 600 to say anything")
    return dict.fromkeys(PARTS, third)


def _distinct(table: pd.DataFrame, separator: str | None) -> int:
    """Rows of a pool that can be used together: one of each prompt, one of each molecule."""
    if "smiles" in table:
        from pipeline.experiments.regression.data import molecules

        return len(set(molecules(table["smiles"], "the table")))
    role = "chosen" if "chosen" in table else "text"
    return len({texts.prompt(text, separator) for text in table[role].astype(str)})


def _checked(name: str) -> None:
    """Load the settings and prepare the data as the study will."""
    study = experiments.load(name)
    with study.named():
        if study.code == ("regression",):
            from pipeline.experiments.regression import data as regression

            regression.rows(study.settings.data)
        else:
            from pipeline.experiments.preferences import data as preferences

            for key, chosen in study.settings.data.datasets.items():
                preferences.prepare(key, chosen, study.settings.data)


def _list_source(name: str, entry: str) -> None:
    from pipeline.summary import sources

    text = sources.SOURCES.read_text(encoding="utf-8")
    artifacts.write_bytes(sources.SOURCES, f"{text.rstrip()}\n\n{entry}".encode())


def _told(name: str, kind: str, rows: Mapping[str, int], targets: Mapping[str, Path]) -> str:
    parts = ", ".join(f"{count} {part}" for part, count in rows.items())
    lines = [
        f"{targets['study']}: {kind}, rows {parts}",
        f"python -m pipeline.study {name}    runs it in minutes, publishes it and draws {name}_pairs and {name}_gain",
        f"make figures    judges {targets['claims']} too, and puts all beside the repository's own",
    ]
    return "\n".join(lines)


def _ending(path: Path) -> str:
    return "".join(ending for ending in path.suffixes[-2:] if ending.lower() in (*tabular.KINDS, *tabular.PACKED))


def _tables(chosen: argparse.Namespace) -> dict[str, Path]:
    parts = {part: getattr(chosen, part) for part in PARTS if getattr(chosen, part, None)}
    if chosen.file and not parts:
        return {"pool": Path(chosen.file)}
    if len(parts) == len(PARTS) and not chosen.file:
        return {part: Path(path) for part, path in parts.items()}
    raise InputError("give --file, or all of --truth, --weak and --test")


def _columns(chosen: argparse.Namespace) -> dict[str, str]:
    named = {role: getattr(chosen, role, None) for role in ("chosen", "rejected", "text", "smiles", "label", "group")}
    found = {role: column for role, column in named.items() if column}
    if chosen.kind == "regression" and ("text" in found) == ("smiles" in found):
        raise InputError("give --text or --smiles: what the models read")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m pipeline.new", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="text, preference or regression")
    for kind, roles in KINDS.items():
        own = kinds.add_parser(kind)
        own.add_argument("name", help="of the study: lower-case letters, digits, _")
        own.add_argument("--file", help="the table; its rows are divided")
        own.add_argument("--rows", type=int, help="how many to use of it; more take longer")
        for role in roles:
            own.add_argument(f"--{role}", required=True, metavar="COLUMN")
        own.set_defaults(positive=None, separator=None)
        if kind == "regression":
            own.add_argument("--text", metavar="COLUMN")
            own.add_argument("--smiles", metavar="COLUMN")
            own.add_argument("--group", metavar="COLUMN", help="rows of one group stay in one part")
            continue
        own.add_argument("--separator", help="what stands before its last occurrence is the prompt")
        for part in PARTS:
            own.add_argument(f"--{part}", help="instead of --file: the table of this part")
        if kind == "text":
            own.add_argument("--positive", metavar="WORD", help="which of two words is the label 1")
    return parser.parse_args()


if __name__ == "__main__":
    command_line(main)
