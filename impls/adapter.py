"""What a framework must be able to do, and what follows from it for all of them.

An adapter holds no state. It turns a spec into a native module, reads the spec back from a native
module (so nothing is hidden in an attribute that can go stale), and says where each canonical
weight lives in it.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from convparity.impls.errors import (
    FROM_USER_CODE,
    ConvparityError,
    SpecError,
    UnsupportedError,
    WeightError,
    check_name,
    in_one_line,
    quoted,
    unknown_name,
)
from convparity.impls.layouts import Layout, copy_into
from convparity.impls.limits import check_size
from convparity.impls.overrides import patched, replaced_by_class, replaced_by_instance
from convparity.impls.recording import Call
from convparity.impls.spec import (
    Composite,
    Spec,
    check_spec,
    dotted,
    parameter_shapes,
    under,
)
from convparity.impls.values import check_input
from convparity.impls.weights import Weights, check_fills, check_range, check_weights

DTYPES = ("float32", "float64", "float16", "bfloat16")
ALGORITHMS = ("auto", "native")
WRAPPED = ("_orig_mod", "module")  # where PyTorch's and other wrappers hold what they wrap


@dataclass(frozen=True)
class Slot:
    """Where one canonical weight lives: the framework's own variable, and its layout there."""

    variable: Any
    layout: Layout


@dataclass(frozen=True)
class Placement:
    """Where and how a native module is made.

    ``algorithm`` is "auto", for whatever was measured to be fastest, or "native", for the
    framework's own alone; with ``share`` the module may take the memory of the weights, see
    ``Adapter.write``.
    """

    device: str = "cpu"
    dtype: str = "float32"
    algorithm: str = "auto"
    share: bool = False


class Count(NamedTuple):
    """Learnables, and learnables with BatchNorm's running statistics."""

    trainable: int
    total: int


class Adapter(ABC):
    """One framework. Arrays that cross this border are NumPy, channels-last, with the batch."""

    name: ClassVar[str]

    # -- what a framework must be able to do

    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """The devices it sees, "cpu" first, then "gpu:0", ..."""

    @abstractmethod
    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> Any:
        """A native module, ready for inference; without weights, as the framework initialises it.

        ``weights`` are checked by then, may be views of any strides, and are given to the module
        without running an initialiser.
        """

    @abstractmethod
    def describe(self, module: Any) -> Spec:
        """The spec of a native module, read from its layers, or ``UnsupportedError``."""

    @abstractmethod
    def children(self, module: Any) -> dict[str, Any]:
        """The native modules inside a native module, under the names that its spec gives them."""

    @abstractmethod
    def own_slots(self, module: Any) -> dict[str, Slot]:
        """The canonical weights that a native module holds itself, not through a child."""

    def own_variables(self, module: Any) -> dict[str, Any]:
        """The float variables that any native module holds itself, by the names it gives them."""
        return {name: slot.variable for name, slot in self.own_slots(module).items()}

    @abstractmethod
    def view(self, variable: Any) -> np.ndarray:
        """A native variable as an array in its own layout (bfloat16 is widened to float32).

        Its memory is the variable's where that can be had: to be read at once, and not written.
        """

    @abstractmethod
    def write(self, variable: Any, array: np.ndarray, share: bool = False) -> None:
        """Set a native variable from an array in its own layout and of its shape.

        The variable has memory of its own afterwards. With ``share`` it may take the array's, where
        the framework can, and the array is contiguous and of the variable's dtype.
        """

    @abstractmethod
    def forward(self, module: Any, x: Any) -> Any:
        """Run the module the way its framework runs inference; waits for the result.

        ``x`` is an array, or a tuple of those that the module takes; what it gives is an array, or
        a tuple or a dict of arrays.
        """

    @abstractmethod
    def record(self, module: Any, *inputs: Any) -> Call:
        """Run the module once at inference, and keep what each module in it was given and gave.

        ``inputs`` are arrays as ``forward`` takes them, or native tensors in the module's own
        layout. Training mode, buffers, gradients and the state of every generator are afterwards
        what they were. On a device that may compute in TF32 unless it is told, it is told not to.
        """

    @abstractmethod
    def watch(self, module: Any, inputs: tuple[np.ndarray, ...]) -> Call:
        """``record`` for a module with code of its own: every native module in it is watched.

        ``inputs`` are what it is called with, channels-last. The module itself runs, and what it
        keeps in attributes of its own may change.
        """

    @abstractmethod
    def named_modules(self, module: Any) -> dict[str, Any]:
        """The module ("") and every one inside it, by the dotted paths that its user knows."""

    def input_shapes(self, module: Any) -> tuple[tuple[int | None, ...], ...] | None:
        """The shape of each input, channels-last, that the module alone takes.

        A size that may be any is None; None in place of all: whatever its layers take.
        """
        return None

    @abstractmethod
    def to_array(self, native: Any) -> np.ndarray:
        """A native tensor as a channels-last array; ``InputError`` for what is none."""

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """The framework's global generator starts anew, and is afterwards where it was."""
        return nullcontext()

    @abstractmethod
    def holds_values(self, module: Any) -> bool:
        """Whether the module's weights have values, and not only shapes; of none, yes."""

    @abstractmethod
    def dtype_of(self, variable: Any) -> str:
        """The dtype of a native variable, by its name in NumPy or "bfloat16"."""

    @abstractmethod
    def on_cpu(self, module: Any) -> bool:
        """Whether the module runs on the CPU."""

    # -- what a framework may be able to do, besides: without it, ``UnsupportedError``

    def backward(self, module: Any, x: Any, cotangent: Any) -> tuple[Any, dict[str, np.ndarray]]:
        """The gradients of ``sum(module(x) * cotangent)``: by ``x``, and by each trained weight.

        Of several inputs, ``x`` and the gradients by it are tuples; of several outputs, whose sums
        are added, ``cotangent`` is the tuple or the dict that the module gives.
        """
        raise self._unable("gradients")

    def runners(
        self, module: Any, x: np.ndarray, cotangent: np.ndarray | None = None
    ) -> dict[str, Callable[[], Any]]:
        """Calls that only compute, to be timed: by memory format, the framework's default first.

        Each runs inference on an ``x`` that is already in place, or with a ``cotangent`` what
        ``backward`` does, compiled where users of the framework compile, and waits for the result.
        """
        raise self._unable("timed runs")

    def train(
        self,
        module: Any,
        x: Any,
        cotangent: Any,
        *,
        steps: int = 1,
        rate: float,
        momentum: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        """Steps of the framework's own SGD on ``sum(module(x) * cotangent)``, in training mode.

        ``x`` and ``cotangent`` are as in ``backward``.
        The momentum is plain, ``decay`` is that of every weight; the module is ready for inference
        again afterwards.
        """
        raise self._unable("training")

    def count(self, module: Any) -> "Count":
        """How many numbers the module holds, as the framework itself counts them."""
        raise self._unable("counting learnables")

    def synchronize(self, device: str) -> None:
        """Wait until everything asked of ``device`` is done."""
        raise self._unable("synchronising")

    def _unable(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.name}: its adapter has no {what}")

    # -- what follows from it

    @final
    def build(
        self,
        spec: Spec,
        weights: Mapping[str, np.ndarray] | None = None,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        algorithm: str = "auto",
        share: bool = False,
    ) -> Any:
        """A native module in the framework's own layout. See ``convert.build``."""
        check_name("algorithm", algorithm, ALGORITHMS)
        check_name("dtype", dtype, DTYPES, UnsupportedError)
        check_name("device", device, self.devices(), UnsupportedError, f"{self.name}: ")
        check_spec(spec)
        check_size(spec)
        check_fills(spec, dtype)
        if weights is not None:
            weights = check_weights(spec, weights)
            check_range(weights, dict.fromkeys(weights, dtype))
        return self.make(spec, weights, Placement(device, dtype, algorithm, share))

    @final
    def slots(self, module: Any) -> dict[str, Slot]:
        """Every canonical weight of a native module, by dotted name."""
        found = self.own_slots(module)
        for name, slot in found.items():
            if slot.variable is None:
                raise UnsupportedError(
                    f"{self.name}: {type(module).__name__} has no {name}, which its fields ask for"
                )
        for name, child in self.children(module).items():
            with inside(name):
                found |= under(name, self.slots(child))
        return found

    @final
    def load(self, module: Any, weights: Mapping[str, np.ndarray]) -> None:
        """Overwrite a module's weights; nothing is written unless all of them fit."""
        spec = self.describe(module)
        arrays = check_weights(spec, weights)
        slots = self._fitting_slots(module, spec)
        check_range(arrays, {name: self.dtype_of(slot.variable) for name, slot in slots.items()})
        self.fill(slots, arrays)

    @final
    def fill(
        self, slots: Mapping[str, Slot], weights: Mapping[str, np.ndarray], share: bool = False
    ) -> None:
        """Write weights that are known to fit: each is copied once, into the layout of its slot."""
        for name, slot in slots.items():
            self.write(slot.variable, slot.layout.to_native(np.asarray(weights[name])), share)

    @final
    def dump(self, module: Any) -> Weights:
        """A module's weights as canonical arrays of its own; later changes don't reach them."""
        spec = self.describe(module)
        self.check_values(module)
        views = self.views(module, spec)
        check_weights(spec, views)  # training may have made NaN of them
        weights = {name: np.empty(view.shape, view.dtype) for name, view in views.items()}
        for name, view in views.items():
            copy_into(weights[name], view)
        return weights

    @final
    def check_values(self, module: Any) -> None:
        """Raise ``UnsupportedError`` for a module of which shapes alone are known."""
        if not self.holds_values(module):
            raise UnsupportedError(f"{self.name}: the module has shapes without values: load it")

    @final
    def views(self, module: Any, spec: Spec) -> Weights:
        """A module's weights as canonical arrays, not checked, that may be views of its memory."""
        return {
            name: slot.layout.to_canonical(self.view(slot.variable))
            for name, slot in self._fitting_slots(module, spec).items()
        }

    @final
    def read(self, variable: Any) -> np.ndarray:
        """A copy of a native variable, in its own layout (bfloat16 is widened to float32)."""
        return np.array(self.view(variable))

    @final
    def dtype(self, module: Any) -> str:
        """The dtype of a module's weights: of several, the one that holds them all."""
        held = {self.dtype_of(slot.variable) for slot in self.slots(module).values()}
        if unknown := held - set(DTYPES):
            raise UnsupportedError(f"{self.name}: " + unknown_name("dtype", unknown.pop(), DTYPES))
        if len(held) == 1:
            return held.pop()
        plain = {"float32" if each == "bfloat16" else each for each in held}
        return np.result_type(*plain).name if plain else "float32"

    def _fitting_slots(self, module: Any, spec: Spec) -> dict[str, Slot]:
        """The slots of ``spec``; two of the frameworks let a module hold arrays that misfit it."""
        with fields_of(module):
            slots = self.slots(module)
        for name, shape in parameter_shapes(spec).items():
            if name not in slots:
                raise UnsupportedError(
                    f"{self.name}: the module has no {name}, which its spec asks for: it holds "
                    f"{quoted(list(slots))}"
                )
            variable = slots[name].variable
            try:
                dtype, held = self.dtype_of(variable), tuple(variable.shape)
            except FROM_USER_CODE as error:  # of whatever a layer was given in a variable's place
                raise UnsupportedError(
                    f"{self.name}: {name} is {quoted(variable)}, which is no variable of it "
                    f"({in_one_line(error)}): give its layer one"
                ) from error
            if dtype not in DTYPES:
                raise UnsupportedError(
                    f"{self.name}: {name} is of {quoted(dtype)}: cast it to one of "
                    f"{', '.join(DTYPES)}"
                )
            needed = slots[name].layout.native_shape(shape)
            if held != needed:
                raise WeightError(
                    f"{self.name}: {name} needs the native shape {needed}, its layer holds {held}: "
                    "the module was given an array that misfits it"
                )
        return slots

    @final
    def apply(self, module: Any, spec: Spec, x: Any) -> Any:
        """``forward`` behind the checks that the frameworks leave out."""
        return self.forward(module, check_input(spec, x))


def check_names(framework: str, spec: Composite, taken: type) -> None:
    """Raise where a child bears the name of something that its native container has."""
    for name, _ in spec.children:
        if hasattr(taken, name):
            raise UnsupportedError(
                f"{framework}: a layer cannot be called {name!r}, which {taken.__name__} has: "
                "give it another name"
            )


def find_reader(module: Any, readers: Mapping[type, Any], call: str) -> Any:
    """The reader of the nearest class that ``module`` inherits, if it runs that class's own code.

    ``call`` is the name of the forward pass. A subclass with a forward pass of its own could mean
    anything, and so could one, or an instance, that replaces whatever else the class defines (see
    ``overrides``): each is refused, by the names of what it replaces.
    """
    kind = type(module)
    name = f"{kind.__module__}.{kind.__name__}"
    base = next((each for each in kind.__mro__ if each in readers), None)
    changed = [] if base is None else replaced_by_class(kind, base)
    if base is None or call in changed:
        roots = {each.__name__: each.__module__.partition(".")[0] for each in readers}
        near = [f"{roots[n]}.{n}" for n in difflib.get_close_matches(kind.__name__, roots, n=2)]
        meant = f" (near it: {', '.join(near)})" if near else ""
        whole = [f".{each}" for each in WRAPPED if getattr(module, each, None) is not None]
        raise UnsupportedError(
            f"{name} cannot be read as a spec: it has code of its own, and is none of the "
            f"{len(roots)} classes that are known{meant}: "
            + (
                f"give what it wraps, its {whole[0]}"
                if whole
                else "write it as layers that "
                "`convparity support` lists, or write the spec and load its weights"
            )
        )
    if changed:
        raise UnsupportedError(
            f"{name} cannot be read as a spec: it replaces {_listed(changed)} of {base.__name__}, "
            "so that its fields no longer say what it computes: "
            f"use {base.__name__} itself, or write the spec and load its weights"
        )
    if strange := patched(base):
        raise UnsupportedError(
            f"{name} cannot be read as a spec: {_listed(strange)} was put in the place of the "
            "framework's own code, so that its fields no longer say what it computes: "
            "put the framework's own back, or write the spec and load its weights"
        )
    if by_instance := replaced_by_instance(module):
        raise UnsupportedError(
            f"{name} cannot be read as a spec: {_listed(by_instance)} was set on the instance, in "
            "the place of its class's own, so that its fields no longer say what it computes: "
            f"delete it (del module.{by_instance[0]}), or write the spec and load its weights"
        )
    return readers[base]


def _listed(names: list[str]) -> str:
    return ", ".join(names)


@contextmanager
def fields_of(module: Any) -> Iterator[None]:
    """Where reading a module's fields fails, they are not as its class makes them: say so."""
    try:
        yield
    except ConvparityError:
        raise
    except FROM_USER_CODE as error:  # whatever comes of a field that was set to anything
        raise UnsupportedError(
            f"{type(module).__name__} cannot be read as a spec: its fields are not what its class "
            f"makes of its arguments ({in_one_line(error)})"
        ) from error


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Let an error say in which child it arose, by the dotted path: an ``UnsupportedError``."""
    try:
        yield
    except (SpecError, UnsupportedError) as error:
        path, reason = getattr(error, "place", None) or ("", str(error))
        path = dotted(name, path) if path else name
        raise UnsupportedError(f"in layer {path!r}: {reason}", place=(path, reason)) from error


def read_children(children: Mapping[str, Any], read: Callable[[Any], Spec]) -> dict[str, Spec]:
    """The specs of native children by their names; an error says in which one it arose."""
    found = {}
    for name, child in children.items():
        with inside(name):
            found[name] = read(child)
    return found
