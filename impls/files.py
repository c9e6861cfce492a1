"""Weight files: our own safetensors, and the released checkpoints of networks that we know."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from convparity.impls import networks, registry
from convparity.impls.errors import InputError, SpecError, WeightError
from convparity.impls.networks import efficientnet_lite
from convparity.impls.notation import from_json, to_json
from convparity.impls.spec import Spec, parameter_shapes
from convparity.impls.weights import Weights, check_weights

PYTORCH_SUFFIXES = (".pth", ".pt")
SUFFIXES = (".safetensors", *PYTORCH_SUFFIXES)


def save(path: str | Path, spec: Spec, weights: Mapping[str, np.ndarray]) -> None:
    """Write one safetensors file that holds the weights, and the spec as JSON in its metadata."""
    check_weights(spec, weights)
    arrays = {name: np.ascontiguousarray(weights[name]) for name in parameter_shapes(spec)}
    try:
        save_file(arrays, path, metadata={"spec": to_json(spec)})
    except SafetensorError as error:
        raise InputError(f"cannot write {path}: {error}") from None


def load(path: str | Path) -> tuple[Spec, Weights]:
    """The spec and the canonical weights in a file; no network needs to be declared by hand.

    Reads what ``save`` wrote, and the released PyTorch checkpoint of EfficientNet-Lite0 (this needs
    PyTorch; nothing in the file is ever executed). Every fault of a file (missing, truncated, no
    state dict, unknown or NaN tensors) is a ``WeightError`` that names it.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightError(f"{path} is not a file")
    read = _load_released if path.suffix in PYTORCH_SUFFIXES else _load_safetensors
    try:
        return read(path)
    except (SpecError, WeightError) as error:
        raise WeightError(f"{path}: {error}") from None


def _load_safetensors(path: Path) -> tuple[Spec, Weights]:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise WeightError(
            f"this is not a whole safetensors file ({error}): copy or download it again"
        ) from None
    except (TypeError, AttributeError) as error:
        raise WeightError(
            f"an array has a dtype that NumPy lacks ({error}): write it as float32"
        ) from None
    if "spec" not in metadata:
        raise WeightError(
            f"{len(weights)} arrays, but no spec in its metadata: "
            "write it with convparity.save(path, spec, weights)"
        )
    spec = from_json(metadata["spec"])
    check_weights(spec, weights)
    return spec, {name: weights[name] for name in parameter_shapes(spec)}


# ---------------------------------------------------------------- released checkpoints

# network -> the name of its canonical weight in the checkpoint that was released for PyTorch
RELEASED = {"efficientnet_lite0": efficientnet_lite.released_name}


def _load_released(path: Path) -> tuple[Spec, Weights]:
    pytorch = registry.get("pytorch")  # a clear error where it is missing
    from convparity.impls.pytorch.adapter import read_state_dict

    state = {
        name: tensor
        for name, tensor in read_state_dict(path).items()
        if not name.endswith("num_batches_tracked")  # BatchNorm's counter is no weight
    }
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
            f"this is no whole {network}: missing {missing[:5]} ({len(missing)}), "
            f"left over {left_over[:5]} ({len(left_over)})"
        )
    slots = pytorch.slots(pytorch.build(spec))  # they know how PyTorch lays each one out
    weights = {}
    for name, shape in parameter_shapes(spec).items():
        tensor, needed = state[names[name]], slots[name].layout.native_shape(shape)
        if tensor.shape != needed:
            raise WeightError(f"{names[name]} has shape {tensor.shape}, {network} needs {needed}")
        weights[name] = np.ascontiguousarray(slots[name].layout.to_canonical(tensor))
    check_weights(spec, weights)
    return spec, weights
