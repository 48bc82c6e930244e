"""The one kind of error a user causes and can mend."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Bad input: the message is one line that names the file, key or value and the remedy."""


def command_line(main: Callable[[], None]) -> None:
    """Run an entry point; what a user can mend, or a machine refuses, ends in one line on stderr and exit code 1."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(
            f"error: {error.filename or 'disk'}: {error.strerror or error}; free space or permissions, then run again"
        )
