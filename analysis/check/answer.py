"""What ``check`` found out about a module and its twin."""

from dataclasses import dataclass
from typing import Any

STATUSES = ("proved", "not tested", "wrong")


@dataclass(frozen=True)
class Finding:
    """One thing that differs, or that could not be tested.

    Attributes:
        path: Of the layer in the module; "" is the whole of it; None where no layer is known.
        what: What differs, or why it could not be tested.
        around: Whether code around the layer may make up for it.
    """

    path: str | None  # of a layer in the module; "" is the whole of it; None: no layer is known
    what: str
    around: bool = False  # code around the layer may make up for it

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" if self.path else self.what


@dataclass(frozen=True)
class Check:
    """The answer of ``check``; ``str`` says it in plain words.

    Attributes:
        module: The framework and the class of the module.
        twin: The framework and the class of the twin.
        wrong: What differs, in the order in which the layers run.
        untested: What could not be judged, and why.
        notes: What is not a fault, and good to know.
        layers: How many layers were compared with their twins one by one.
        runs: How many inputs the whole modules were compared on.

    Example:
        >>> import convparity as cp
        >>> import torch
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())
        >>> twin = cp.convert(module, to="keras")
        >>> with torch.no_grad():
        ...     module[0].bias += 1
        >>> answer = cp.check(module, twin, torch.randn(2, 3, 9, 9))
        >>> answer.status, answer.ok, answer.first
        ('wrong', False, '0')
    """

    module: str  # the class and framework of each
    twin: str
    wrong: tuple[Finding, ...] = ()  # in the order in which the layers run
    untested: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    layers: int = 0  # so many were held against each other one by one
    runs: int = 0  # so many times the wholes were

    @property
    def status(self) -> str:
        """Either "proved", "wrong", or "not tested", where something could not be judged."""
        if self.wrong:
            return "wrong"
        return "not tested" if self.untested else "proved"

    @property
    def ok(self) -> bool:
        """Whether the twin is proved to be a right port."""
        return self.status == "proved"

    @property
    def first(self) -> str | None:
        """The path in the module of the first layer that differs; None where none is known."""
        return self.wrong[0].path if self.wrong else None

    @property
    def cause(self) -> str | None:
        """What differs first, in one line; None where nothing does."""
        return str(self.wrong[0]) if self.wrong else None

    def __str__(self) -> str:
        lines = [f"{self.twin} as a twin of {self.module}: {self.status.replace('wrong', 'WRONG')}"]
        if self.wrong:
            lines.append(f"  first difference: {self.cause}")
            lines += [f"  also: {finding}" for finding in self.wrong[1:6]]
            if len(self.wrong) > 6:
                lines.append(f"  and {len(self.wrong) - 6} more")
        if self.ok:
            lines.append(
                f"  {self.layers} layers agree one by one, and the wholes on {self.runs} inputs"
            )
        lines += [f"  not tested: {finding}" for finding in self.untested]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it.

        Returns:
            The fields and the properties by name, and ``text``, the answer in plain words.
        """
        return {
            "module": self.module,
            "twin": self.twin,
            "status": self.status,
            "ok": self.ok,
            "first": self.first,
            "cause": self.cause,
            "wrong": [{"path": each.path, "what": each.what} for each in self.wrong],
            "untested": [{"path": each.path, "what": each.what} for each in self.untested],
            "notes": list(self.notes),
            "layers": self.layers,
            "runs": self.runs,
            "text": str(self),
        }
