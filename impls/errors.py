"""The errors of convparity. Each message names the thing that is wrong and the remedy."""

import difflib
import reprlib
from collections.abc import Iterable

MOST = 60  # letters of a foreign name or value that a message repeats
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = MOST
SHORT.maxlist = SHORT.maxtuple = SHORT.maxdict = SHORT.maxset = SHORT.maxlevel = 4


# What code of others may raise. Who leaves the program is stopped, too; a Ctrl-C is the user's.
FOREIGN = (Exception, SystemExit)
LONGEST = 900  # letters of a message, whatever it repeats


class ConvparityError(Exception):
    """Base of every error that convparity raises on purpose: its message is printable and short."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


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


def printable(message: str) -> str:
    """Escaped, but for ends of lines, and cut in the middle: the remedy stands at the end."""
    shown = "".join(
        each if each == "\n" or each.isprintable() else repr(each)[1:-1] for each in message
    )
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"


def one_of(what: str, name: object, known: Iterable[str]) -> str:
    """The message for an unknown name: repeats it, suggests the nearest, lists the known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name)[:MOST], names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {quoted(name)}.{hint} Known: {', '.join(names)}."


def check_name(
    what: str,
    name: object,
    known: Iterable[str],
    kind: type[ConvparityError] = InputError,
    of: str = "",
) -> None:
    """Raise an error of this ``kind``, after ``of``, unless ``name`` is one of the known."""
    names = tuple(known)
    if not isinstance(name, str) or name not in names:
        raise kind(of + one_of(what, name, names))


def in_one_line(error: BaseException, most: int = 150) -> str:
    """The kind of an error of anybody's, and the first line of what it says, cut after ``most``."""
    try:
        first = (str(error).strip() or "no more is said").splitlines()[0]
    except FOREIGN:
        first = "no more can be said"
    return f"{type(error).__name__}: {first[:most]}"


def quoted(name: object) -> str:
    r"""A foreign name or value, as a message may show it: escaped, on one line, and short.

    >>> quoted("bell\a and colour\x1b[31m")
    "'bell\\x07 and colour\\x1b[31m'"
    >>> quoted([1, 2, 3] * 1000)
    '[1, 2, 3, 1, ...]'
    """
    text = " ".join(SHORT.repr(name).split())
    return text.encode("ascii", "backslashreplace").decode()
