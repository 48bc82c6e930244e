"""What git says of this repository; its refusals in one line with their remedy."""

import subprocess
from pathlib import Path

from pipeline.core.errors import InputError

FOREIGN = "dubious ownership"


def output(*arguments: str) -> bytes | None:
    """What a git command prints; None where it fails, as outside a clone.

    Raises InputError where git is not installed, or does not trust this folder because it is another user's.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise InputError("git is not on the PATH; install git, or add its folder to the PATH") from None
    if done.returncode and FOREIGN in done.stderr.decode(errors="replace"):
        raise InputError(
            f"git does not trust {Path.cwd()}, which belongs to another user; run `git config --global --add "
            f"safe.directory {Path.cwd()}`"
        )
    return None if done.returncode else done.stdout


def text(*arguments: str) -> str | None:
    """The same as text without spaces around it."""
    found = output(*arguments)
    return None if found is None else found.decode().strip()
