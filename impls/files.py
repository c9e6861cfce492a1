"""Weight files: our own safetensors, and the released checkpoints of networks that we know."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import ModuleType

import numpy as np

from convparity.impls.checkpoints import FORMATS, others, own
from convparity.impls.errors import InputError, SpecError, WeightError
from convparity.impls.limits import largest_file
from convparity.impls.spec import Spec
from convparity.impls.storing import file_name, read_whole, said, write_whole
from convparity.impls.weights import Weights, check_weights

SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.SUFFIXES)
OF_OTHERS = (*(each for each in SUFFIXES if each not in own.SUFFIXES), *others.SUFFIXES)


def save(path: str | Path, spec: Spec, weights: Mapping[str, np.ndarray]) -> None:
    """Write one safetensors file: the weights, the spec as JSON, and a digest of both.

    The file is there as a whole, and on the disk, when this returns; until then, whatever happens,
    there is what was there before. A link stays a link, a file keeps its permissions.

    Raises ``WeightError`` for weights that do not fit, and ``InputError`` for a place that cannot
    be written, or a name that says another format.

    >>> import tempfile, convparity
    >>> spec = convparity.Dense(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/dense.safetensors"
    ...     convparity.save(path, spec, convparity.init_weights(spec, seed=0))
    ...     convparity.load(path)[0]
    Dense(in_features=2, out_features=3, bias=True)
    """
    arrays = check_weights(spec, weights)
    name = Path(file_name(path))
    if name.suffix.lower() in OF_OTHERS:
        raise InputError(
            f"cannot write {said(str(name))}: what is written is safetensors: call it "
            f"{said(name.stem)}{own.SUFFIXES[0]}"
        )
    write_whole(path, own.write(spec, arrays))


def load(path: str | Path) -> tuple[Spec, Weights]:
    """The spec and the canonical weights in a file; no network needs to be declared by hand.

    Reads what ``save`` wrote, and the released PyTorch checkpoint of EfficientNet-Lite0 (this needs
    PyTorch); which of them it is, the content says. Nothing in a file is ever executed. Every fault
    of a file (missing, truncated, changed in a bit, no state dict, unknown or NaN tensors) is a
    ``WeightError`` that names it. The file is read into memory once: who rewrites it meanwhile
    makes it one that is not whole, and does no more.
    """
    try:
        data = read_whole(path, largest_file(), _check_start)
        return _format(data, Path(file_name(path)).suffix).read(data)
    except (SpecError, WeightError) as error:
        raise WeightError(f"{said(file_name(path))}: {error}") from None
    except InputError as error:
        raise WeightError(str(error)) from None


def _format(data: bytes, suffix: str) -> ModuleType:
    """The format that the content says, or else the name; else ours, which says what is wrong."""
    by_content = (each for each in FORMATS if each.looks_like(data))
    by_name = (each for each in FORMATS if suffix in each.SUFFIXES)
    return next(chain(by_content, by_name), own)


def _check_start(start: bytes, size: int) -> None:
    """Raise for files of others, and by the header of one of ours, before the data are read."""
    for begins, what in others.HEADS.items():
        if start.startswith(begins):
            raise WeightError(f"this is {what}")
    if own.looks_like(start):
        own.check_start(start, size)
