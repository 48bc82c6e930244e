"""Release archives: whole, the same bytes twice, and anonymous where that is asked for."""

import gzip
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from pipeline import archive
from pipeline.core.errors import InputError
from tests.clones import copy_repository

AUTHOR = (" ".join(["Ada", "Example"]), "@".join(["ada", "example.org"]))  # in no file, this one included


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = copy_repository(tmp_path)
    identity = ["-c", f"user.name={AUTHOR[0]}", "-c", f"user.email={AUTHOR[1]}"]
    subprocess.run(["git", *identity, "commit", "--amend", "--reset-author", "-qm", "all"], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


def test_everything_under_version_control_is_in_it_and_nothing_else(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / "untracked.txt").write_text("mine")
    monkeypatch.setattr("sys.argv", ["archive"])
    archive.main()
    once = Path("dist/weak-to-strong-artifact.tar.gz").read_bytes()
    with tarfile.open(fileobj=BytesIO(gzip.decompress(once))) as opened:
        names = {str(Path(name).relative_to(archive.NAME)) for name in opened.getnames()}
        assert {(entry.uname, entry.mtime) for entry in opened} == {("", 0)}
        assert {f"{archive.NAME}/.ci/run"} == {entry.name for entry in opened if entry.mode & 0o100}
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    assert names == set(listed)
    archive.main()
    assert Path("dist/weak-to-strong-artifact.tar.gz").read_bytes() == once


@pytest.mark.parametrize("name", AUTHOR)
def test_an_author_named_in_a_file_stops_the_anonymous_export(
    name: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["archive", "--anonymous"])
    archive.main()
    kept = Path("dist/weak-to-strong-artifact-anonymous.tar.gz").read_bytes()
    with (clone / "README.md").open("a") as readme:
        readme.write(f"\nThanks to {name.upper()}.\n")
    with pytest.raises(InputError, match=f"README.md names '{name}'"):
        archive.main()
    assert Path("dist/weak-to-strong-artifact-anonymous.tar.gz").read_bytes() == kept
