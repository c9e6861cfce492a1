"""What was found out about each layer of two networks that should be twins."""

from dataclasses import dataclass, field
from typing import Any

from convparity.analysis.layerwise.trees import Pair
from convparity.analysis.proof.verdict import Precision, Structure


@dataclass(frozen=True)
class LayerVerdict:
    """One layer: its own error on the input of its twin, and what it inherits from those before it.

    Attributes:
        path: Its dotted path in the expected network; "" is the whole of it.
        module_path: Its dotted path in the module.
        kind: The name of its class of specs; "unknown" where its code is its own.
        own: The verdict on what it gives for the input of its twin.
        on_integers: The verdict on what it gives for small integers.
        expected_ok: Whether its twin gives what float64 gives, up to rounding.
        inherited: How much wrong input alone changes its output; None where it got none.
        drift: The difference of both networks' values here; None where there is none to measure.
        size: The root mean square of the right output.
        spec_difference: How its fields differ from its twin's; None where they do not.
        weight_difference: How its weights differ from its twin's; None where they do not.
        weights_ok: Whether they differ by a unit in the last place at most.
        follows: Whether it holds a layer that is wrong, and is wrong only for that.
    """

    path: str  # in the expected network; "" is the whole of it
    module_path: str
    kind: str
    own: Structure | Precision  # fed with what its twin was fed
    on_integers: Structure | Precision  # fed with small integers
    expected_ok: bool  # the twin gives what float64 gives, up to rounding
    inherited: float | None  # what wrong input alone changes in its output; None: it got none
    drift: float | None  # the difference of both networks' values here
    size: float  # the root mean square of the right output
    spec_difference: str | None
    weight_difference: str | None
    weights_ok: bool  # they differ by a unit in the last place at most
    follows: bool  # it holds a layer that is wrong, and is wrong only for that
    pair: Pair = field(repr=False, compare=False)
    x: Any = field(default=None, repr=False, compare=False)  # kept of what errs

    @property
    def ok(self) -> bool:
        """Whether its error is rounding alone, or is that of the layers inside it.

        An input of NaN alone tells nothing; then the integers decide.
        """
        seen = self.own.status != "wrong" and self.on_integers.ok
        return self.follows or (seen and self.weights_ok)

    @property
    def state(self) -> str:
        """In tables: "ok", "WRONG", "inherited" (from layers inside it) or "twin WRONG"."""
        if self.follows:
            return "inherited"
        if not self.ok:
            return "WRONG"
        return "ok" if self.expected_ok else "twin WRONG"

    @property
    def name(self) -> str:
        """Its path, and its path in the other network where that is another."""
        path = self.path or "the whole"
        same = self.module_path == self.path
        return path if same else f"{path} (there {self.module_path or 'the whole'})"

    @property
    def own_error(self) -> float:
        """The largest difference from float64 on the twin's input; infinite without an output."""
        if isinstance(self.own, Precision):
            return self.own.error
        if self.own.problem is not None:
            return float("inf")
        worst = self.own.worst
        return 0.0 if worst is None else abs(worst.got - worst.expected)

    @property
    def effective_bits(self) -> float | None:
        """The effective bits of its own error; None where nothing is rounded."""
        return self.own.effective_bits if isinstance(self.own, Precision) else None

    @property
    def findings(self) -> str:
        """What is wrong with it, and how it differs from its twin."""
        parts = []
        if self.own.status == "wrong":
            parts.append(str(self.own))
        elif not self.on_integers.ok:
            parts.append(f"on integers {self.on_integers}")
        if self.weight_difference:
            parts.append(f"weights differ: {self.weight_difference}")
        if self.spec_difference:
            parts.append(f"spec differs: {self.spec_difference}")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it.

        Returns:
            The fields and the properties by name.
        """
        return {
            "path": self.path,
            "module_path": self.module_path,
            "kind": self.kind,
            "own_error": self.own_error,
            "own": str(self.own),
            "on_integers": str(self.on_integers),
            "effective_bits": self.effective_bits,
            "inherited_error": self.inherited,
            "drift": self.drift,
            "size": self.size,
            "expected_ok": self.expected_ok,
            "spec_difference": self.spec_difference,
            "weight_difference": self.weight_difference,
            "state": self.state,
        }


@dataclass(frozen=True)
class Layerwise:
    """Two networks layer by layer, and the first layer whose own error is more than rounding.

    ``str`` says it.

    Attributes:
        module: What the network in question is of: "pytorch", "flax", "keras" or "reference".
        expected: What the network that is right is of.
        dtype: In which both computed.
        layers: A ``LayerVerdict`` for each layer, in the order in which they run.

    Example:
        >>> import convparity as cp
        >>> net = cp.Sequential({"conv": cp.Conv(3, 8, 3), "act": cp.Activation("relu")})
        >>> weights = cp.init_weights(net, seed=0)
        >>> found = cp.first_divergence((net, weights), (net, weights), input_shape=(2, 7, 9, 3))
        >>> found.ok, found.first, [layer.path for layer in found.layers]
        (True, None, ['conv', 'act', ''])
    """

    module: str
    expected: str
    dtype: str
    layers: tuple[LayerVerdict, ...]  # in the order in which they run

    @property
    def first(self) -> LayerVerdict | None:
        """The first layer of the module whose own error is more than rounding, or None."""
        return next((layer for layer in self.layers if not layer.ok), None)

    @property
    def suspect(self) -> LayerVerdict | None:
        """The first layer of the expected network that is not what its own spec says."""
        return next((layer for layer in self.layers if not layer.expected_ok), None)

    @property
    def ok(self) -> bool:
        """Whether every layer of both networks is right."""
        return self.first is None and self.suspect is None

    def __str__(self) -> str:
        pair = f"{self.module} against {self.expected}"
        parts = []
        if self.first is not None:
            where = f"{self.first.name} ({self.first.kind})"
            parts.append(f"{pair}: first divergence at {where}: {self.first.findings}")
        if self.suspect is not None:
            where = f"{self.suspect.path or 'the whole'} ({self.suspect.kind})"
            parts.append(f"{pair}: the expected {self.expected} is itself wrong at {where}")
        if parts:
            return "; ".join(parts)
        last = self.layers[-1].drift
        outputs = "" if last is None else f", the outputs by at most {last:.1e}"
        return f"{pair}: no divergence: {len(self.layers)} layers differ by rounding alone{outputs}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it.

        Returns:
            The fields and the properties by name, and ``text``, the answer in plain words.
        """
        return {
            "module": self.module,
            "expected": self.expected,
            "dtype": self.dtype,
            "ok": self.ok,
            "first": None if self.first is None else self.first.path,
            "text": str(self),
            "layers": [layer.to_dict() for layer in self.layers],
        }
