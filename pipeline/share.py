"""Push what another clone needs to skip the stages that have run here: DVC's run cache and every file it speaks of.

python -m pipeline.share [remote]

`dvc push --run-cache` leaves out the files that git keeps, and the stages that made them would run again elsewhere.
"""

import argparse

from dvc.exceptions import DvcException
from dvc.repo import Repo

from pipeline.core.errors import InputError, command_line


def main() -> None:
    """Push, and say how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("remote", nargs="?", help="by default the one that is set as default")
    print(share(parser.parse_args().remote))


def share(remote: str | None) -> str:
    """Push everything that the run cache speaks of.  Raises InputError where the remote cannot take it."""
    with Repo() as repo:
        try:
            runs = repo.stage_cache.push(remote)
            needed = set().union(*repo.stage_cache.get_used_objs(runs).values())
            missing = repo.cloud.push(needed, remote=remote).failed
        except DvcException as error:
            reason = " ".join(str(error).split())
            raise InputError(f"nothing was shared: {reason}; `dvc remote list` shows the remotes") from None
    if missing:
        raise InputError(f"{len(missing)} of {len(needed)} files could not be pushed; try again, or see `dvc push -v`")
    return f"{len(runs)} runs and {len(needed)} files are there for others"


if __name__ == "__main__":
    command_line(main)
