"""PyTorch: specs to ``torch.nn`` modules and back."""

import re
from collections import OrderedDict
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from impls.adapter import Adapter, Count, Slot, find_reader
from impls.errors import UnsupportedError, WeightError
from impls.layouts import CHANNELS_FIRST, SAME, depthwise_as_grouped
from impls.pytorch import layers
from impls.spec import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
)
from impls.weights import Weights

# ---------------------------------------------------------------- spec -> module


@singledispatch
def make(spec: Spec) -> nn.Module:
    """The native module of a spec, as PyTorch initialises it."""
    raise UnsupportedError(f"pytorch: {type(spec).__name__} is not built yet")


@make.register
def _(spec: Conv) -> nn.Module:
    return layers.Conv2d(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.groups,
        spec.bias,
    )


@make.register
def _(spec: DepthwiseConv) -> nn.Module:
    return layers.DepthwiseConv2d(
        spec.in_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.depth_multiplier,
        spec.bias,
    )


@make.register
def _(spec: SeparableConv) -> nn.Module:
    return layers.SeparableConv2d(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        spec.padding,
        spec.dilation,
        spec.depth_multiplier,
        spec.depthwise_bias,
        spec.pointwise_bias,
    )


@make.register
def _(spec: BatchNorm) -> nn.Module:
    return nn.BatchNorm2d(spec.num_features, spec.eps, spec.momentum)


@make.register
def _(spec: Activation) -> nn.Module:
    return {"relu": nn.ReLU, "relu6": nn.ReLU6}[spec.function]()


@make.register
def _(spec: GlobalAvgPool) -> nn.Module:
    return layers.GlobalAvgPool()


@make.register
def _(spec: Flatten) -> nn.Module:
    return layers.Flatten()


@make.register
def _(spec: Dropout) -> nn.Module:
    return nn.Dropout(spec.p)


@make.register
def _(spec: Dense) -> nn.Module:
    return nn.Linear(spec.in_features, spec.out_features, spec.bias)


@make.register
def _(spec: Sequential) -> nn.Module:
    return nn.Sequential(OrderedDict((name, make(child)) for name, child in spec.children))


@make.register
def _(spec: Residual) -> nn.Module:
    return layers.Residual(make(spec.body), spec.shortcut and make(spec.shortcut))


# ---------------------------------------------------------------- module -> spec


def _conv(module: nn.Conv2d) -> Spec:
    pad = getattr(module, "pad_first", "valid")
    if pad == "valid":
        pad = module.padding if any(module.padding) else "valid"
    return Conv(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        pad,
        module.dilation,
        module.groups,
        module.bias is not None,
        module.padding_mode,
    )


def _depthwise(module: layers.DepthwiseConv2d) -> Spec:
    conv: Any = _conv(module)
    return DepthwiseConv(
        conv.in_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        module.depth_multiplier,
        conv.bias,
    )


def _separable(module: layers.SeparableConv2d) -> Spec:
    depthwise: Any = _depthwise(module.depthwise)
    return SeparableConv(
        depthwise.in_channels,
        module.pointwise.out_channels,
        depthwise.kernel_size,
        depthwise.stride,
        depthwise.padding,
        depthwise.dilation,
        depthwise.depth_multiplier,
        depthwise.bias,
        module.pointwise.bias is not None,
    )


def _batch_norm(module: nn.BatchNorm2d) -> Spec:
    if not (module.affine and module.track_running_stats and module.momentum is not None):
        raise UnsupportedError(
            f"pytorch: {module} cannot be read as a spec: it needs affine=True, "
            "track_running_stats=True and a momentum"
        )
    return BatchNorm(module.num_features, module.eps, module.momentum)


def _flatten(module: nn.Flatten) -> Spec:
    raise UnsupportedError(
        "pytorch: nn.Flatten orders the features C, H, W; use impls.pytorch.layers.Flatten, and "
        "permute the weights of the layer behind it"
    )


READERS: dict[type, Any] = {
    nn.Conv2d: _conv,
    layers.Conv2d: _conv,
    layers.DepthwiseConv2d: _depthwise,
    layers.SeparableConv2d: _separable,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: lambda module: Activation("relu"),
    nn.ReLU6: lambda module: Activation("relu6"),
    layers.GlobalAvgPool: lambda module: GlobalAvgPool(),
    layers.Flatten: lambda module: Flatten(),
    nn.Flatten: _flatten,
    nn.Dropout: lambda module: Dropout(module.p),
    nn.Linear: lambda module: Dense(
        module.in_features, module.out_features, module.bias is not None
    ),
    nn.Sequential: lambda module: Sequential(
        # not named_children(), which leaves out a layer's second use
        {name: describe(child) for name, child in module._modules.items()}
    ),
    layers.Residual: lambda module: Residual(
        describe(module.body), module.shortcut and describe(module.shortcut)
    ),
}


def describe(module: nn.Module) -> Spec:
    """The spec of a native module."""
    spec: Spec = find_reader(module, READERS, "forward")(module)
    return spec


# ---------------------------------------------------------------- the adapter


class PyTorchAdapter(Adapter):
    """``torch.nn``, channels-first."""

    name = "pytorch"

    def devices(self) -> tuple[str, ...]:
        return ("cpu", *(f"gpu:{i}" for i in range(torch.cuda.device_count())))

    def make(self, spec: Spec, weights: Weights | None, device: str, dtype: str) -> nn.Module:
        where, kind = device.replace("gpu", "cuda"), getattr(torch, dtype)
        if weights is None:
            return make(spec).to(where, kind).eval()
        with torch.device("meta"):  # shapes only: nothing is initialised to be overwritten
            module = make(spec).to(kind)
        module = module.to_empty(device=where).eval()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.num_batches_tracked.zero_()  # not a weight, but to_empty left it undefined
        self.load(module, weights)
        return module

    def describe(self, module: nn.Module) -> Spec:
        return describe(module)

    def children(self, module: nn.Module) -> dict[str, nn.Module]:
        return {name: child for name, child in module._modules.items() if child is not None}

    def own_slots(self, module: Any) -> dict[str, Slot]:
        kernel = CHANNELS_FIRST
        match module:
            case nn.BatchNorm2d():
                return {
                    "scale": Slot(module.weight, SAME),
                    "offset": Slot(module.bias, SAME),
                    "mean": Slot(module.running_mean, SAME),
                    "variance": Slot(module.running_var, SAME),
                }
            case layers.DepthwiseConv2d():
                kernel = CHANNELS_FIRST.after(depthwise_as_grouped(module.depth_multiplier))
            case nn.Conv2d() | nn.Linear():
                pass
            case _:
                return {}
        slots = {"kernel": Slot(module.weight, kernel)}
        return slots if module.bias is None else slots | {"bias": Slot(module.bias, SAME)}

    def read(self, variable: torch.Tensor) -> np.ndarray:
        tensor = variable.detach().cpu()
        if tensor.dtype == torch.bfloat16:  # NumPy has none; float32 holds every one of them
            tensor = tensor.float()
        return np.array(tensor.numpy())

    def write(self, variable: torch.Tensor, array: np.ndarray) -> None:
        with torch.no_grad():
            variable.copy_(torch.from_numpy(np.array(array)))

    def forward(self, module: nn.Module, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._out(module(self._in(module, x)))

    def backward(
        self, module: nn.Module, x: np.ndarray, cotangent: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        native = self._in(module, x).requires_grad_()
        trained = {n: s for n, s in self.slots(module).items() if s.variable.requires_grad}
        by_x, *by_weight = torch.autograd.grad(
            module(native),
            [native, *(slot.variable for slot in trained.values())],
            self._in(module, cotangent),
        )
        return self._out(by_x), {
            name: slot.layout.to_canonical(self.read(gradient))
            for (name, slot), gradient in zip(trained.items(), by_weight, strict=True)
        }

    def count(self, module: nn.Module) -> Count:
        trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
        # num_batches_tracked is a counter, not a statistic
        statistics = sum(b.numel() for b in module.buffers() if b.is_floating_point())
        return Count(trainable, sum(p.numel() for p in module.parameters()) + statistics)

    def synchronize(self, device: str) -> None:
        if device != "cpu":
            torch.cuda.synchronize(device.replace("gpu", "cuda"))

    def _in(self, module: nn.Module, array: np.ndarray) -> torch.Tensor:
        like = next(module.parameters(), torch.empty(0))  # a layer without weights runs on the CPU
        tensor = torch.from_numpy(np.array(np.moveaxis(array, -1, 1)))
        return tensor.to(like.device, like.dtype)

    def _out(self, tensor: torch.Tensor) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(self.read(tensor), 1, -1))


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a PyTorch checkpoint, in PyTorch's names and layouts; never runs its code."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
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
    read = PyTorchAdapter().read  # a checkpoint may hold parameters, and bfloat16
    return {name: read(tensor) for name, tensor in state.items()}
