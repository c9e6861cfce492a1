"""Our own files: safetensors with the spec, and a digest of it and of every array, as metadata."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from convparity.impls.errors import WeightError, in_one_line, quoted
from convparity.impls.notation import from_json, to_json
from convparity.impls.spec import Spec, parameter_shapes
from convparity.impls.storing import START
from convparity.impls.weights import Weights, check_shapes, check_weights

SUFFIXES = (".safetensors",)
VERSION = "1"  # of the format; "" is that of files that say none
WHOLE = "copy or download it again"
MOST_OF_HEADER = START - 8  # bytes, for the names of a hundred thousand arrays
LENGTH = 8  # bytes at the beginning: how long the header is


def write(spec: Spec, weights: Mapping[str, np.ndarray]) -> bytes:
    """The file: the same bytes for equal specs and equal weights."""
    arrays = {name: _plain(weights[name]) for name in parameter_shapes(spec)}
    text = to_json(spec)
    found = digest(text, arrays, VERSION)
    return to_bytes(arrays, metadata={"sha256": found, "spec": text, "version": VERSION})


def check_start(start: bytes, size: int) -> dict[str, str]:
    """The metadata; raises if no file of ``size`` bytes that begins so was written here."""
    header = _header(start, size)
    metadata: dict[str, str] = header.pop("__metadata__", {})
    try:
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (TypeError, KeyError, IndexError, AttributeError):
        raise WeightError(_not_whole("its header names no arrays")) from None
    length = LENGTH + int.from_bytes(start[:LENGTH], "little")
    if end != size - length:
        raise WeightError(
            _not_whole(f"its header asks for {quoted(end)} bytes of data, it has {size - length:,}")
        )
    if "spec" not in metadata:
        raise WeightError(_foreign(shapes))
    if metadata.get("version", "") not in ("", VERSION):
        raise WeightError(
            f"its format is {quoted(metadata['version'])}, and this program reads {VERSION!r}: "
            "a later convparity wrote it, or it is damaged"
        )
    if "sha256" not in metadata:
        raise WeightError(
            "it has a spec, and no digest of its arrays, so that damage could not be seen: "
            "write it with convparity.save(path, spec, weights)"
        )
    check_shapes(from_json(metadata["spec"]), shapes)
    return metadata


def read(data: bytes) -> tuple[Spec, Weights]:
    """What ``write`` wrote, and nothing that differs from it in a single bit."""
    metadata = check_start(data, len(data))
    try:
        arrays = from_bytes(data)
    except SafetensorError as error:
        raise WeightError(_not_whole(str(error))) from None
    except (TypeError, AttributeError, KeyError) as error:
        raise WeightError(
            f"an array has a dtype that NumPy lacks ({error}): write it as float32"
        ) from None
    spec = from_json(metadata["spec"])
    weights = check_weights(spec, arrays)
    if digest(metadata["spec"], arrays, metadata.get("version", "")) != metadata["sha256"]:
        raise WeightError(f"its content is not what was saved (the digest differs): {WHOLE}")
    return spec, weights


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so may be safetensors."""
    return start[LENGTH : LENGTH + 1] == b"{"


def digest(spec: str, arrays: Mapping[str, np.ndarray], version: str) -> str:
    """SHA-256 of a spec as it is written and of arrays: names, dtypes, shapes and bits."""
    seen = hashlib.sha256(json.dumps([version, spec] if version else spec).encode())
    for name in sorted(arrays):
        array = _plain(arrays[name])
        seen.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        seen.update(array.reshape(-1).view(np.uint8).data)
    return seen.hexdigest()


def _plain(array: np.ndarray) -> np.ndarray:
    """Contiguous, and little-endian as the format is."""
    array = np.asarray(array)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def _not_whole(reason: str) -> str:
    return f"this is not a whole safetensors file ({reason}): {WHOLE}"


def _header(start: bytes, whole: int) -> dict[str, Any]:
    """The header, of a length that is checked before it is read."""
    size = int.from_bytes(start[:LENGTH], "little")
    if whole < LENGTH or size > whole - LENGTH:
        raise WeightError(_not_whole("its header is cut short"))
    if size > MOST_OF_HEADER:
        raise WeightError(f"its header of {size:,} bytes is longer than {MOST_OF_HEADER:,}")
    try:
        header = json.loads(start[LENGTH : LENGTH + size])
    except (ValueError, RecursionError) as error:
        raise WeightError(_not_whole(in_one_line(error))) from None
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise WeightError(_not_whole("its header is no table of arrays"))
    return header


def _foreign(arrays: Mapping[str, Any]) -> str:
    names = ", ".join(quoted(name) for name in list(arrays)[:3])
    such = f", such as {names}" if names else ""
    return (
        f"{len(arrays)} arrays{such}, but no spec in its metadata: another program wrote it. Load "
        "it there, and write what it holds with convparity.save(path, spec, weights)"
    )
