"""PyTorch: the adapter, and its checkpoints."""

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import nn

from convparity.impls.adapter import Adapter, Count, Placement, Slot
from convparity.impls.errors import InputError, UnsupportedError, in_one_line
from convparity.impls.pytorch import layers
from convparity.impls.pytorch.bindings import TABLE
from convparity.impls.pytorch.describe import describe
from convparity.impls.pytorch.make import make
from convparity.impls.pytorch.rows.normalisation import BATCH_NORM
from convparity.impls.recording import Call, Recorder, Value, generators_as_they_were
from convparity.impls.spec import Conv, DepthwiseConv, Shape, Spec, together
from convparity.impls.values import inputs_of, on_each, parts
from convparity.impls.weights import Weights


class PyTorchAdapter(Adapter):
    """``torch.nn``, channels-first."""

    name = "pytorch"

    def devices(self) -> tuple[str, ...]:
        return ("cpu", *(f"gpu:{i}" for i in range(torch.cuda.device_count())))

    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> nn.Module:
        where, kind = place.device.replace("gpu", "cuda"), getattr(torch, place.dtype)
        if weights is None:
            module = _placeable(make(spec)).to(where, kind)
        else:
            with torch.device("meta"):  # shapes only: nothing is initialised to be overwritten
                module = _placeable(make(spec)).to(kind)
            module.to_empty(device=where)
            for layer in module.modules():
                if isinstance(layer, BATCH_NORM):
                    layer.num_batches_tracked.zero_()  # no weight, but to_empty left it undefined
            self.fill(self.slots(module), weights, place.share)
        for layer in module.modules():
            if isinstance(layer, layers.ConvNd):
                layer.algorithm = place.algorithm
        return module.eval()

    def describe(self, module: nn.Module) -> Spec:
        return describe(module)

    def children(self, module: nn.Module) -> dict[str, nn.Module]:
        # not named_children(), which leaves out a layer's second use
        return {name: child for name, child in module._modules.items() if child is not None}

    def own_slots(self, module: Any) -> dict[str, Slot]:
        return TABLE.slots(module)

    def own_variables(self, module: nn.Module) -> dict[str, Any]:
        held = {**module._parameters, **module._buffers}
        return {
            n: v for n, v in held.items() if v is not None and v.is_floating_point() and v.numel()
        }

    def view(self, variable: torch.Tensor) -> np.ndarray:
        if variable.is_meta:
            raise UnsupportedError("pytorch: a tensor has a shape without values: load them")
        tensor = variable.detach().cpu()
        if tensor.layout is not torch.strided or tensor.is_quantized:
            kind = "quantised" if tensor.is_quantized else str(tensor.layout)
            raise UnsupportedError(f"pytorch: a tensor is {kind}: make a plain one of it")
        tensor = tensor.resolve_neg()  # the same one, unless it is a view with the other sign
        if tensor.dtype == torch.bfloat16:  # NumPy has none; float32 holds every one of them
            tensor = tensor.float()
        try:
            return tensor.numpy()
        except (RuntimeError, TypeError) as error:
            raise UnsupportedError(
                f"pytorch: a tensor of {tensor.dtype} on {tensor.device} has no values that NumPy "
                f"can have ({in_one_line(error)}): cast it, or load its values"
            ) from None

    def write(self, variable: torch.Tensor, array: np.ndarray, share: bool = False) -> None:
        held = variable.detach()
        if held.is_cpu and held.dtype != torch.bfloat16 and not held.is_neg():
            own = held.numpy()
            if share and array.flags.c_contiguous and array.dtype == own.dtype:
                with warnings.catch_warnings():  # that JAX's memory is read-only: convert() says it
                    warnings.simplefilter("ignore")
                    variable.data = torch.from_numpy(array)
            else:
                np.copyto(own, array, casting="unsafe")  # of any strides, straight into its place
        else:
            held.copy_(torch.from_numpy(np.array(array)))

    def forward(self, module: nn.Module, x: Any) -> Any:
        with torch.inference_mode():
            return on_each(self._out, module(*(self._in(module, each) for each in inputs_of(x))))

    def record(self, module: nn.Module, *inputs: Any) -> Call:
        given = (self._in(module, x) if isinstance(x, np.ndarray) else x for x in inputs)
        return self._watched(module, *given)

    def watch(self, module: nn.Module, inputs: tuple[np.ndarray, ...]) -> Call:
        # integers, as of an embedding, stay what they are
        given = (
            self._in(module, x) if x.dtype.kind == "f" else torch.from_numpy(np.array(x))
            for x in inputs
        )
        return self._watched(module, *given)

    def _watched(self, module: nn.Module, *inputs: torch.Tensor) -> Call:
        recorder = Recorder(self._value)
        with _as_it_was(module), ExitStack() as hooked, torch.no_grad():
            module.eval()
            for each in module.modules():
                enter = each.register_forward_pre_hook(
                    lambda own, given, named: recorder.enter(own, (*given, *named.values())),
                    with_kwargs=True,
                )
                leave = each.register_forward_hook(lambda _, given, made: recorder.leave(made))
                hooked.callback(enter.remove)
                hooked.callback(leave.remove)
            module(*(each.clone() for each in inputs))
        return recorder.roots[0]

    def named_modules(self, module: nn.Module) -> dict[str, Any]:
        return dict(module.named_modules(remove_duplicate=False))

    def to_array(self, native: Any) -> np.ndarray:
        if not isinstance(native, torch.Tensor):
            raise InputError(
                f"pytorch: an input must be a torch.Tensor, not {type(native).__name__}"
            )
        return self._out(native)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            yield

    def _value(self, native: Any) -> Value:
        if not isinstance(native, torch.Tensor):
            return Value(None, type(native).__name__)
        return Value(self._out(native), self.dtype_of(native))

    def holds_values(self, module: nn.Module) -> bool:
        held = [*module.parameters(), *module.buffers()]
        return not any(each.is_meta for each in held)

    def dtype_of(self, variable: torch.Tensor) -> str:
        return str(variable.dtype).removeprefix("torch.")

    def on_cpu(self, module: nn.Module) -> bool:
        return all(each.is_cpu for each in chain(module.parameters(), module.buffers()))

    def backward(
        self, module: nn.Module, x: Any, cotangent: Any
    ) -> tuple[Any, dict[str, np.ndarray]]:
        native = [self._in(module, each).requires_grad_() for each in inputs_of(x)]
        trained = {n: s for n, s in self.slots(module).items() if s.variable.requires_grad}
        leaves = [*native, *(slot.variable for slot in trained.values())]
        ends = self._ends(module, native, leaves, cotangent)
        found = torch.autograd.grad(*ends, materialize_grads=True)
        by_x, by_weight = found[: len(native)], found[len(native) :]
        return together([self._out(each) for each in by_x]), {
            name: slot.layout.to_canonical(self.read(gradient))
            for (name, slot), gradient in zip(trained.items(), by_weight, strict=True)
        }

    def _ends(
        self, module: nn.Module, native: list[Any], leaves: list[Any], cotangent: Any
    ) -> tuple[Any, Any, Any]:
        """What the module gives, ``leaves``, and by how much each output counts."""
        made, wanted = module(*native), on_each(lambda each: self._in(module, each), cotangent)
        if isinstance(made, dict):
            wanted = {name: wanted[name] for name in made}
        both = zip(parts(made), parts(wanted), strict=True)
        given = [(y, by_y) for y, by_y in both if y.requires_grad]  # the place of a pixel has none
        return [y for y, _ in given], leaves, [by_y for _, by_y in given]

    def chooses(self, layer: Spec, input_shape: Shape, memory_format: str) -> bool:
        """Whether "auto" runs other code than "native" does: it lays the input out anew."""
        if not isinstance(layer, Conv | DepthwiseConv) or memory_format == "channels_last":
            return False
        groups = layer.in_channels if isinstance(layer, DepthwiseConv) else layer.groups
        batch, *spatial, channels = input_shape
        x = torch.empty(batch, channels, *spatial)
        return layers.fastest_format(x, groups) is not x

    def runners(
        self, module: nn.Module, x: np.ndarray, cotangent: np.ndarray | None = None
    ) -> dict[str, Callable[[], Any]]:
        device = self._in(module, x[:0]).device
        wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

        def runner(memory_format: torch.memory_format) -> Callable[[], Any]:
            own = copy.deepcopy(module).to(memory_format=memory_format)
            native = self._in(own, x).contiguous(memory_format=memory_format)
            if cotangent is None:

                def infer() -> Any:
                    with torch.inference_mode():
                        y = own(native)
                    wait()
                    return y

                return infer
            native.requires_grad_()
            leaves = [native, *(p for p in own.parameters() if p.requires_grad)]
            with torch.no_grad():
                format_of_y = torch.empty_like(own(native))
            by_y = format_of_y.copy_(self._in(own, cotangent))

            def differentiate() -> Any:
                found = torch.autograd.grad(own(native), leaves, by_y)
                wait()
                return found

            return differentiate

        formats = {"contiguous": torch.contiguous_format}
        if x.ndim == 4:
            formats["channels_last"] = torch.channels_last
        return {name: runner(each) for name, each in formats.items()}

    def train(
        self,
        module: nn.Module,
        x: Any,
        cotangent: Any,
        *,
        steps: int = 1,
        rate: float,
        momentum: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        native = [self._in(module, each) for each in inputs_of(x)]
        optimizer = torch.optim.SGD(module.parameters(), rate, momentum, weight_decay=decay)
        module.train()
        for _ in range(steps):
            optimizer.zero_grad()
            made, _, wanted = self._ends(module, native, [], cotangent)
            torch.autograd.backward(made, wanted)
            optimizer.step()
        module.eval()

    def count(self, module: nn.Module) -> Count:
        trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
        # num_batches_tracked is a counter, not a statistic
        statistics = sum(b.numel() for b in module.buffers() if b.is_floating_point())
        return Count(trainable, sum(p.numel() for p in module.parameters()) + statistics)

    def synchronize(self, device: str) -> None:
        if device != "cpu":
            torch.cuda.synchronize(device.replace("gpu", "cuda"))

    def _in(self, module: nn.Module, array: np.ndarray) -> torch.Tensor:
        if array.ndim > 2:
            array = np.moveaxis(array, -1, 1)
        tensor = torch.from_numpy(np.array(array))
        like = next(chain(module.parameters(), module.buffers()), None)
        if like is None:  # a module without weights takes what it is given
            return tensor if tensor.is_floating_point() else tensor.float()
        return tensor.to(like.device, like.dtype)

    def _out(self, tensor: torch.Tensor) -> np.ndarray:
        array = self.read(tensor)
        return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 2 else array


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Afterwards modes, buffers and generators are as before; here nothing computes in TF32."""
    modes = [(each, each.training) for each in module.modules()]
    buffers = [
        (each._buffers, name, buffer, buffer.detach().clone())
        for each in module.modules()
        for name, buffer in each._buffers.items()
        if buffer is not None
    ]
    devices = sorted({each.device.index for each in module.parameters() if each.is_cuda})
    with ExitStack() as kept:
        kept.enter_context(generators_as_they_were())
        kept.enter_context(torch.random.fork_rng(devices))
        if devices:
            kept.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
            matmul = torch.backends.cuda.matmul
            kept.callback(setattr, matmul, "allow_tf32", matmul.allow_tf32)
            matmul.allow_tf32 = False
        try:
            yield
        finally:
            module.train(modes[0][1])  # the module's own method may set more
            for each, mode in modes:
                each.training = mode
            for held, name, buffer, before in buffers:
                held[name] = buffer  # a forward pass may have put another in its place
                if not torch.equal(buffer, before):
                    buffer.detach().copy_(before)


def _placeable(module: nn.Module) -> nn.Module:
    """A module that ``to`` moves: one without weights gets an empty tensor to bear the place."""
    if next(module.parameters(), None) is None:
        module.register_buffer("place", torch.empty(0), persistent=False)  # in no state dict
    return module
