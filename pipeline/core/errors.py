"""The one kind of error a user causes and can mend."""

import os
import sys
from collections.abc import Callable


class InputError(Exception):
    """Bad input: the message is one line that names the file, key or value and the remedy."""


def words(text: str | None) -> list[str]:
    """What stands on the command line; `--help` prints the text, a module's own, and ends the program."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((text or "").strip())
        sys.exit()
    return sys.argv[1:]


def command_line(main: Callable[[], None], without_arguments: str | None = None) -> None:
    """Run an entry point; what a user can mend, or a machine refuses, ends in one line on stderr and exit code 1.

    without_arguments: the text of a module that takes none, for `--help`; anything else is refused.
    """
    try:
        if without_arguments and (given := words(without_arguments)):
            raise InputError(f"'{given[0]}' is no argument of this command, which takes none; --help says what it does")
        main()
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:  # whoever read what was printed, `head` for one, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit(
            f"error: {error.filename or 'disk'}: {error.strerror or error}; free space or permissions, then run again"
        )
