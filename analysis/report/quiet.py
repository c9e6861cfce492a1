"""The frameworks without what they log about themselves.

For the commands alone: a program of the user's own that imports ``convparity`` hears all of it.
"""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from convparity.impls import registry

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # of what TensorFlow's C++ logs
NOTHING = "3"


def import_frameworks(names: Iterable[str]) -> None:
    """Import them in silence; where the user has set TensorFlow's log level, as that says."""
    names = list(names)
    if os.environ.setdefault(LEVEL, NOTHING) != NOTHING or sys.stderr is None:
        return
    with _nothing_logged():
        for name in names:
            registry.get(name)
    # What they warn of later, too: that there are many models, for one, each traced once.
    for package in set().union(*(registry.framework(name).packages for name in names)):
        logging.getLogger(package).setLevel(logging.ERROR)


@contextmanager
def _nothing_logged() -> Iterator[None]:
    """TensorFlow's libraries log while they are loaded, before they read their settings.

    They write to file descriptor 2. What Python writes, warnings and tracebacks, is still seen.
    """
    python = sys.stderr
    python.flush()
    seen = os.dup(2)  # never closed: a log handler may have been given the stream below
    if _writes_to(python, 2):
        sys.stderr = open(  # noqa: SIM115
            seen, "w", buffering=1, errors="backslashreplace", closefd=False
        )
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(seen, 2)
        sys.stderr = python


def _writes_to(stream: object, descriptor: int) -> bool:
    """False of what a test or a notebook has put in the place of standard error."""
    try:
        return stream.fileno() == descriptor  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return False
