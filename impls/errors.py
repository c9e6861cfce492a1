"""The errors of convparity. Each message names the thing that is wrong and the remedy."""

import difflib
import reprlib
from collections.abc import Iterable

MOST = 60  # letters of a foreign name or value that a message repeats
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = MOST
SHORT.maxlist = SHORT.maxtuple = SHORT.maxdict = SHORT.maxset = SHORT.maxlevel = 4


# What code of others may raise. Who leaves the program is stopped, too; a Ctrl-C is the user's.
FROM_USER_CODE = (Exception, SystemExit)
LONGEST = 900  # letters of a message, whatever it repeats
LONGEST_LIST = 500  # letters of the names that a message lists one and all
NEAREST = 12  # names that it lists where all of them are longer


class ConvparityError(Exception):
    """Base of every error that convparity raises on purpose: its message is printable and short.

    Catch it to catch all of them. Each message names what is wrong, and what to do about it.

    Example:
        >>> import convparity as cp
        >>> try:
        ...     cp.from_line("conv2d c3>8 k5 same smae")
        ... except cp.ConvparityError as error:
        ...     print(type(error).__name__)
        SpecError
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class SpecError(ConvparityError, ValueError):
    """A spec contradicts itself, or an input shape does not fit it. It is a ``ValueError``, too.

    Mend the field, or the shape, that the message names.

    Example:
        >>> import convparity as cp
        >>> cp.Conv(4, 6, 3, groups=3)
        Traceback (most recent call last):
            ...
        convparity.impls.errors.SpecError: Conv: in_channels=4 is not divisible by groups=3: ...
    """


class WeightError(ConvparityError, ValueError):
    """Weights do not fit a spec, or a weight file cannot be read or trusted.

    It is a ``ValueError``, too. Compare the names and shapes with ``parameter_shapes(spec)``; of a
    file, get another copy.

    Example:
        >>> import convparity as cp
        >>> cp.reference(cp.Dense(2, 3), {}, [[1, 2]])
        Traceback (most recent call last):
            ...
        convparity.impls.errors.WeightError: weights do not fit Dense: missing kernel, bias (2)...
    """


class InputError(ConvparityError, ValueError):
    """A value (an array, a picture, a name) cannot be used as it is. It is a ``ValueError``, too.

    Give what the message asks for. Where work exceeds the limit, the message says which value of
    ``CONVPARITY_LIMIT`` in the environment allows it.

    Example:
        >>> import convparity as cp
        >>> cp.init_weights(cp.Dense(2, 3), seed=-1)
        Traceback (most recent call last):
            ...
        convparity.impls.errors.InputError: seed must be an integer from 0 to 2^128 - 1, not -1
    """


class UnsupportedError(ConvparityError, NotImplementedError):
    """What is asked cannot be done, or said, exactly. It is a ``NotImplementedError``, too.

    The message says why, and what to do instead; nothing else is ever returned in its place.

    Attributes:
        place: The path of the layer that cannot do it and the reason alone, where these are known.

    Example:
        >>> import convparity as cp
        >>> cp.dump([1, 2, 3])
        Traceback (most recent call last):
            ...
        convparity.impls.errors.UnsupportedError: list is no module of torch (pytorch), ...
    """

    def __init__(self, message: str, place: tuple[str, str] | None = None) -> None:
        super().__init__(message)
        self.place = place


class FrameworkUnavailable(ConvparityError, ImportError):
    """A framework is not installed, or is older than convparity needs.

    It is an ``ImportError``, too. The message has the command that installs it.

    Example:
        >>> import convparity as cp
        >>> issubclass(cp.FrameworkUnavailable, ImportError)
        True
    """


class ImportOrderWarning(UserWarning):
    """Triton is blocked: TensorFlow was imported before it, or it cannot be imported.

    In that order triton would end the process. PyTorch works without it, but in this process
    ``torch.compile`` for a GPU and kernels written in triton do not. To have them, import triton or
    convparity before anything that imports TensorFlow.

    Example:
        >>> import convparity as cp
        >>> issubclass(cp.ImportOrderWarning, UserWarning)
        True
    """


def printable(message: str) -> str:
    """Escaped, but for ends of lines, and cut in the middle: the remedy stands at the end."""
    shown = "".join(
        each if each == "\n" or each.isprintable() else repr(each)[1:-1] for each in message
    )
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """The message for an unknown name: repeats it, suggests the nearest, lists the known ones.

    Of a long list, it names the nearest and says how many others there are.
    """
    names = sorted(known)
    text = str(name)[:MOST]
    near = difflib.get_close_matches(text, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(names)
    if len(listed) > LONGEST_LIST:
        nearest = sorted(difflib.get_close_matches(text, names, n=NEAREST, cutoff=0.0))
        listed = f"{', '.join(nearest)} and {len(names) - len(nearest)} others"
    return f"unknown {what} {quoted(name)}.{hint} Known: {listed}."


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
        raise kind(of + unknown_name(what, name, names))


def in_one_line(error: BaseException, most: int = 150) -> str:
    """The kind of an error of anybody's, and the first line of what it says, cut after ``most``."""
    try:
        first = (str(error).strip() or "it has no message").splitlines()[0]
    except FROM_USER_CODE:
        first = "its message cannot be read"
    return f"{type(error).__name__}: {first[:most]}"


def quoted(name: object) -> str:
    r"""A foreign name or value, as a message may show it: escaped, on one line, and short.

    >>> from convparity.impls.errors import quoted
    >>> quoted("bell\a and colour\x1b[31m")
    "'bell\\x07 and colour\\x1b[31m'"
    >>> quoted([1, 2, 3] * 1000)
    '[1, 2, 3, 1, ...]'
    """
    text = " ".join(SHORT.repr(name).split())
    return text.encode("ascii", "backslashreplace").decode()
