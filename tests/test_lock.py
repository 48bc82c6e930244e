"""What a killed run left half-written: dvc.lock is put back, the note of the files in use thrown away."""

import time
from pathlib import Path

import pytest
from conftest import ROOT

from pipeline import lock
from pipeline.core.errors import InputError

CONTENT = (ROOT / "dvc.lock").read_bytes()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lock, "INTERVAL", 0.01)
    lock.LOCK.write_bytes(CONTENT)


def damaged() -> list[bytes]:
    """A prefix, and a new beginning over an old end, as a write in place leaves them when it is cut short."""
    return [CONTENT[: len(CONTENT) // 2], CONTENT[:5000] + CONTENT[4000:], CONTENT[:-7], b"<<<<<<< HEAD\n", b""]


@pytest.mark.parametrize("number", range(len(damaged())))
def test_the_last_whole_state_is_put_back(number: int) -> None:
    with lock.guarded():
        pass
    lock.LOCK.write_bytes(damaged()[number])
    lock.mend()
    assert lock.LOCK.read_bytes() == CONTENT


def test_a_run_is_watched() -> None:
    kept = lock.kept(lock.LOCK)
    shorter = CONTENT.replace(b"size: 1", b"size: 2", 1)
    with lock.guarded():
        lock.LOCK.write_bytes(shorter)
        deadline = time.monotonic() + 20
        while not (kept.exists() and kept.read_bytes() == shorter) and time.monotonic() < deadline:
            time.sleep(0.01)
        lock.LOCK.write_bytes(CONTENT[:100])
    assert kept.read_bytes() == shorter


@pytest.mark.parametrize(("content", "stays"), [(b"", False), (b'{"write": {"art', False), (b'{"write": {}}', True)])
def test_a_half_written_note_of_the_files_in_use_is_thrown_away(content: bytes, stays: bool) -> None:
    lock.IN_USE.parent.mkdir(parents=True)
    lock.IN_USE.write_bytes(content)
    with lock.guarded():
        assert lock.IN_USE.exists() == stays


def test_without_a_kept_state_the_remedy_is_named() -> None:
    lock.LOCK.write_bytes(CONTENT[:5000])
    with pytest.raises(InputError, match="dvc.lock is damaged .* `git checkout dvc.lock`"):
        lock.mend()
    lock.LOCK.unlink()
    lock.mend()
