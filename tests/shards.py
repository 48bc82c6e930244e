"""Two clones each make half of the cells and push them; a third pulls both halves and runs nothing.

python -m tests.shards      all experiments at tiny sizes, by way of a folder and of an S3 server

What travels is DVC's run cache: for each stage that ran, the hashes of what it read and wrote, and the files.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clones import command, commit, copy_repository, dvc, git, outcomes, running
from tests.conftest import Tiny

HALVES = (("evaluate@synthetic", "evaluate@kl"), ("evaluate@molecules", "evaluate@digits"))
# Any text will do for the server in the test; a real one reads the same two names.
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def main() -> None:
    """Print what each clone did; exit code 1 unless the last two ran nothing and hold the cells of the first two."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch, remotes(Path(scratch) / "store") as config:
        *makers, third, fourth = clones(Path(scratch), config, 4)
        for maker, half in zip(makers, HALVES, strict=True):
            started = time.monotonic()
            told(maker, make(maker, half), started)
        cells = {path: digest for maker in makers for path, digest in tables(maker).items()}
        wrong = 0
        for taker, remote in ((third, "folder"), (fourth, "s3")):
            started = time.monotonic()
            shown = take(taker, [stage for half in HALVES for stage in half], remote)
            told(taker, shown, started)
            wrong += ran(shown) > 0 or tables(taker) != cells
    print(f"{len(cells)} tables of cells, {'not the same everywhere' if wrong else 'the same everywhere'}")
    sys.exit(1 if wrong or len(cells) != 4 else 0)


def told(clone: Path, shown: str, started: float) -> None:
    """Say what a clone did."""
    seconds = time.monotonic() - started
    print(f"{clone.name}: {ran(shown)} stages run, {taken(shown)} taken from others in {seconds:.0f} s", flush=True)


def tables(clone: Path) -> dict[str, str]:
    """Hash of each table of cells."""
    return {path: digest for path, digest in outcomes(clone).items() if path.endswith("cells.csv")}


@contextmanager
def remotes(folder: Path) -> Iterator[str]:
    """.dvc/config of a folder and of an S3 server, which is there for as long as the block runs."""
    from boto3 import client
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        keys = dict(zip(("aws_access_key_id", "aws_secret_access_key", "region_name"), KEYS.values(), strict=True))
        client("s3", endpoint_url=address, **keys).create_bucket(Bucket="cells")
        yield (
            "[core]\n    analytics = false\n    check_update = false\n"
            f"['remote \"folder\"']\n    url = {folder}\n"
            f"['remote \"s3\"']\n    url = s3://cells/store\n    endpointurl = {address}\n"
        )
    finally:
        server.stop()


def clones(folder: Path, config: str, count: int) -> list[Path]:
    """Clones of this repository at tiny sizes, in which nothing has run yet."""
    origin = copy_repository(folder)
    Tiny().write(origin)
    (origin / ".dvc/config").write_text(config)
    git(origin, "rm", "-rqf", "dvc.lock", "studies", "results", "paper_figures")
    commit(origin, "tiny")
    made = [folder / f"clone-{number}" for number in range(1, count + 1)]
    for clone in made:
        git(folder, "clone", "-q", str(origin), str(clone))
    return made


def make(clone: Path, stages: Sequence[str]) -> str:
    """Run these stages and what they need, then push to both remotes."""
    shown = dvc(clone, "repro", *stages)
    for remote in ("folder", "s3"):
        command(clone, sys.executable, "-m", "pipeline.share", remote, **KEYS)
    return shown


def take(clone: Path, stages: Sequence[str], remote: str) -> str:
    """Pull what others ran, then ask for the stages, whose files are pulled as they are found."""
    (clone / ".dvc/config.local").write_text(f"[core]\n    remote = {remote}\n")
    pulled = dvc(clone, "pull", "--run-cache", "--allow-missing", **KEYS)
    return pulled + dvc(clone, "repro", "--pull", *stages, **KEYS)


def ran(shown: str) -> int:
    """Stages that ran, but for the hashes, which every clone makes for itself."""
    return len(set(running(shown)) - {"keys"})


def taken(shown: str) -> int:
    """Stages whose outputs came from the run cache."""
    return shown.count("is cached - skipping run")


if __name__ == "__main__":
    main()
