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
    """Write a spec and its weights to one safetensors file, with a digest of both.

    When this returns, the whole file is on the disk; until then, whatever happens, what was there
    before is still there. A link stays a link, and a file keeps its permissions.

    Args:
        path: Where to write; a name ends in ".safetensors", or in nothing that another format has.
        spec: Any layer or network.
        weights: The canonical weights: an array for each name of ``parameter_shapes(spec)``.

    Raises:
        SpecError: ``spec`` is not a spec.
        WeightError: The weights do not fit the spec.
        InputError: The file cannot be written, or its name says another format.

    Example:
        >>> import tempfile
        >>> import convparity as cp
        >>> spec = cp.Dense(2, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cp.save(f"{folder}/dense.safetensors", spec, cp.init_weights(spec, seed=0))
        ...     cp.load(f"{folder}/dense.safetensors")[0]
        Dense(in_features=2, out_features=3, bias=True, axis=-1)
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
    """Read the spec and the weights in a file; no network needs to be declared by hand.

    Its content says what the file is. Nothing in it is ever executed. It is read into memory once:
    a program that rewrites it meanwhile can damage it, and do no more.

    Args:
        path: A file that ``save`` wrote, or the released PyTorch checkpoint of EfficientNet-Lite0,
            for which PyTorch must be installed.

    Returns:
        The spec, and its canonical weights by name.

    Raises:
        WeightError: The file is missing, cut short, changed in a bit, of another program, or holds
            tensors that are unknown or NaN; the message names the file and the fault.
        FrameworkUnavailable: It is a PyTorch checkpoint, and PyTorch is not installed.

    Example:
        >>> import tempfile
        >>> import convparity as cp
        >>> spec = cp.Dense(2, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     cp.save(f"{folder}/dense.safetensors", spec, cp.init_weights(spec, seed=0))
        ...     spec, weights = cp.load(f"{folder}/dense.safetensors")
        >>> list(weights)
        ['kernel', 'bias']
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
