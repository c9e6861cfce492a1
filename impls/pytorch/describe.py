"""``torch.nn`` modules to specs: PyTorch's own layers are understood as well as those of impls."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from convparity.impls.adapter import fields_of, find_reader, read_children
from convparity.impls.errors import UnsupportedError
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.bindings import TABLE
from convparity.impls.pytorch.rows.common import AXES
from convparity.impls.spec import (
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    Identity,
    MaxPool,
    MaxPoolIndices,
    Rearrange,
    Sequential,
    Spec,
    walk,
    wired,
)


def describe(module: nn.Module) -> Spec:
    """The spec of a native module."""
    if isinstance(module, nn.Module):
        _check_no_hooks(module)
    kind = type(module)
    known = BY_NAME.get(f"{kind.__module__}.{kind.__qualname__}")
    reader = find_reader(module, READERS if known is None else {kind: known}, "forward")
    with fields_of(module):
        spec: Spec = reader(module)
    return spec


def _check_no_hooks(module: nn.Module) -> None:
    """Raise where something else than the module's own code runs in its forward pass."""
    kind = type(module).__name__
    if parametrize.is_parametrized(module):
        (name, *_) = module.parametrizations
        raise _computed(
            kind, name, f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            raise _computed(kind, hook.name, "torch.nn.utils.remove_weight_norm(module)")
        if isinstance(hook, SpectralNorm):
            raise _computed(kind, hook.name, "torch.nn.utils.remove_spectral_norm(module)")
        if isinstance(hook, prune.BasePruningMethod):
            name = hook._tensor_name
            raise _computed(kind, name, f"torch.nn.utils.prune.remove(module, {name!r})")
    hooks = {
        "a forward hook": module._forward_hooks,
        "a forward pre-hook": module._forward_pre_hooks,
        "a global forward hook": torch_module._global_forward_hooks,
        "a global forward pre-hook": torch_module._global_forward_pre_hooks,
    }
    for what, registered in hooks.items():
        for hook in registered.values():
            name = getattr(hook, "__qualname__", type(hook).__qualname__)
            raise UnsupportedError(
                f"pytorch: {kind} cannot be read as a spec: {what}, {name}, runs with it and may "
                "change what it computes: remove it (the handle that registering it gave has "
                "remove()), or write the spec and load its weights"
            )
    if getattr(module, "_compiled_call_impl", None) is not None:
        raise UnsupportedError(
            f"pytorch: {kind} cannot be read as a spec: _compiled_call_impl runs in the place of "
            "its forward pass: read it before compile(), or set _compiled_call_impl to None"
        )


def _computed(kind: str, name: str, remedy: str) -> UnsupportedError:
    return UnsupportedError(
        f"pytorch: {kind} cannot be read as a spec: its {name} is computed from other parameters "
        f"whenever it runs: make it a plain parameter by {remedy}, on a copy if it is to train on"
    )


def _children(module: nn.Module) -> dict[str, Spec]:
    # not named_children(), which leaves out a layer's second use
    return read_children(module._modules, describe)


def _sequential(module: nn.Sequential) -> Spec:
    """Each layer is told how many axes the value has that reaches it, as far as that is known."""
    axes = AXES.get(module) or _asked_for(module)

    def read(child: nn.Module) -> Spec:
        nonlocal axes
        AXES.pop(child, None)
        if axes is not None:
            AXES[child] = axes
        spec = describe(child)
        axes = axes or 2 if type(child) is nn.Linear else _behind(spec, axes)
        return spec

    return Sequential(read_children(module._modules, read))


def _asked_for(module: Any) -> int | None:
    """How many axes the first layer asks for that says it; None where a view comes before."""
    for layer in module.modules():
        kinds = {row.spec for row in TABLE.rows_of(layer)}
        if Dense in kinds:  # ours takes an image, too
            return 2 if type(layer) is nn.Linear else None
        if kinds & {Conv, ConvTranspose, DepthwiseConv}:
            return len(layer.kernel_size) + 2
        if kinds & {Flatten, Rearrange, GlobalAvgPool, GlobalMaxPool}:
            return None
    return None


def _behind(spec: Spec, axes: int | None) -> int | None:
    """How many axes there are behind a layer or chain, of a value that had so many."""
    for _, layer in walk(spec):
        match layer:
            case Flatten() | GlobalAvgPool() | GlobalMaxPool():
                axes = 2
            case Rearrange() | Graph():
                axes = None
            case (
                Conv()
                | ConvTranspose()
                | DepthwiseConv()
                | MaxPool()
                | MaxPoolIndices()
                | AvgPool()
            ):
                axes = layer.rank + 2
    return axes


def _layer(module: nn.Module) -> Spec:
    _children(module)  # of a separable convolution: neither step has a hook or code of its own
    return TABLE.read(module, TABLE.rows_of(module))


def _stochastic_depth(module: Any) -> Spec:
    """torchvision's: of each example by itself; or of a whole batch, which no spec says."""
    return Dropout(module.p, "path") if module.mode == "row" else Identity()


def _drop_path(module: Any) -> Spec:
    """Timm's."""
    return Dropout(module.drop_prob or 0.0, "path")


# Layers of other libraries, which are not imported.
BY_NAME: dict[str, Callable[[Any], Spec]] = {
    "torchvision.ops.stochastic_depth.StochasticDepth": _stochastic_depth,
    "timm.layers.drop.DropPath": _drop_path,
    "timm.models.layers.drop.DropPath": _drop_path,
}
READERS: dict[type, Callable[[Any], Spec]] = {
    **dict.fromkeys(TABLE.readers, _layer),
    nn.Sequential: _sequential,
    layers.Graph: lambda module: wired(
        _children(module), module.steps, module.inputs, module.outputs
    ),
}
