"""The errors of convparity. Each message names the thing that is wrong and the remedy."""

import difflib
from collections.abc import Iterable


class ConvparityError(Exception):
    """Base of every error that convparity raises on purpose."""


class SpecError(ConvparityError, ValueError):
    """A spec contradicts itself, or an input shape does not fit it."""


class WeightError(ConvparityError, ValueError):
    """Weights do not fit a spec, or a weight file cannot be trusted or read."""


class InputError(ConvparityError, ValueError):
    """An input (an array, a picture, a name) cannot be used as it is."""


class UnsupportedError(ConvparityError, NotImplementedError):
    """What is asked cannot be done, or said, exactly; the message says why, and what to do instead.

    ``place`` is, where one is known, the path of the layer that cannot, and the reason by itself.
    """

    def __init__(self, message: str, place: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.place = place


class FrameworkUnavailable(ConvparityError, ImportError):
    """A framework is not installed, or is older than convparity needs."""


class ImportOrderWarning(UserWarning):
    """Packages were imported in an order that takes something away; the message says what."""


def one_of(what: str, name: object, known: Iterable[str]) -> str:
    """The message for an unknown name: repeats it, suggests the nearest, lists the known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {name!r}.{hint} Known: {', '.join(names)}."


def in_one_line(error: Exception, most: int = 150) -> str:
    """The kind of an error of anybody's, and the first line of what it says, cut after ``most``."""
    first = (str(error).strip() or "no more is said").splitlines()[0]
    return f"{type(error).__name__}: {first[:most]}"
