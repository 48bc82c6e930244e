"""dvc.lock, which DVC writes in place: a run killed in that moment leaves half of it, and every later run would stop.

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
WHOLE = Path(".dvc/tmp/dvc.lock.whole")
IN_USE = Path(".dvc/tmp/rwlock")
INTERVAL = 1.0  # seconds between two looks


@contextmanager
def guarded() -> Iterator[None]:
    """Mend what a kill may have damaged, then keep the last whole dvc.lock as long as the run goes on."""
    forget()
    mend()
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(over,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def mend() -> None:
    """Put the last whole state back where dvc.lock cannot be read.  Raises InputError where none was kept."""
    if not LOCK.exists() or whole(LOCK.read_bytes()):
        return
    if not WHOLE.exists():
        raise InputError(f"{LOCK} is damaged (a killed run, or a merge); restore it with `git checkout {LOCK}`")
    artifacts.write_bytes(LOCK, WHOLE.read_bytes())


def forget() -> None:
    """Remove DVC's note of the files in use if it is half-written, and not only for as long as writing it takes."""
    if _damaged(IN_USE):
        time.sleep(INTERVAL)
        if _damaged(IN_USE):
            IN_USE.unlink(missing_ok=True)


def keep() -> None:
    """Copy dvc.lock if it can be read to its end."""
    content = LOCK.read_bytes() if LOCK.exists() else b""
    if whole(content):
        artifacts.write_bytes(WHOLE, content)


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


def _watch(over: threading.Event) -> None:
    seen = None
    while True:
        last = over.wait(INTERVAL)
        now = LOCK.stat().st_mtime_ns if LOCK.exists() else None
        if now != seen:
            keep()
            seen = now
        if last:
            return
