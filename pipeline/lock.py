"""A dvc.lock, which DVC writes in place: a run killed in that moment leaves half of it, and every later run would stop.

While a run goes on, the last whole state is kept beside DVC's own notes, and put back before the next run if needed.
An entry says which inputs gave which outputs, so an older state is never wrong: at most a stage runs again.
The same can happen to DVC's note of which process uses which file; it is thrown away, as it only speaks of living ones.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from pipeline.core import artifacts
from pipeline.core.errors import InputError

LOCK = Path("dvc.lock")
NOTES = Path(".dvc/tmp")
IN_USE = NOTES / "rwlock"
INTERVAL = 1.0  # seconds between two looks


@contextmanager
def guarded(lock: Path = LOCK) -> Iterator[None]:
    """Mend what a kill may have damaged, then keep the last whole state of a dvc.lock as long as the run goes on."""
    forget()
    mend(lock)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(lock, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def mend(lock: Path = LOCK) -> None:
    """Put the last whole state back where a dvc.lock cannot be read.  Raises InputError where none was kept."""
    if not lock.exists() or whole(lock.read_bytes()):
        return
    if not kept(lock).exists():
        raise InputError(f"{lock} is damaged (a killed run, or a merge); restore it with `git checkout {lock}`")
    artifacts.write_bytes(lock, kept(lock).read_bytes())


def kept(lock: Path) -> Path:
    """Where the last whole state lies."""
    return NOTES / f"{'-'.join(lock.parts)}.whole"


def forget() -> None:
    """Remove DVC's note of the files in use if it is half-written, and not only for as long as writing it takes."""
    if _damaged(IN_USE):
        time.sleep(INTERVAL)
        if _damaged(IN_USE):
            IN_USE.unlink(missing_ok=True)


def keep(lock: Path = LOCK) -> None:
    """Copy a dvc.lock if it can be read to its end."""
    content = lock.read_bytes() if lock.exists() else b""
    if whole(content):
        artifacts.write_bytes(kept(lock), content)


def whole(content: bytes) -> bool:
    """Whether DVC could read this, and it does not stop within a line, as DVC never does."""
    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content.decode()))
    except (YAMLError, UnicodeDecodeError, Invalid):
        return False
    return content.endswith(b"\n")


def _damaged(path: Path) -> bool:
    try:
        return not isinstance(json.loads(path.read_text()), dict)
    except FileNotFoundError:
        return False
    except ValueError:
        return True


def _watch(lock: Path, over: threading.Event) -> None:
    seen = None
    while True:
        last = over.wait(INTERVAL)
        now = lock.stat().st_mtime_ns if lock.exists() else None
        if now != seen:
            keep(lock)
            seen = now
        if last:
            return
