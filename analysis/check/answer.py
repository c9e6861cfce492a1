"""What ``check`` found out about a module and its twin."""

from dataclasses import dataclass
from typing import Any

STATUSES = ("proved", "not tested", "wrong")


@dataclass(frozen=True)
class Finding:
    """One thing that differs, or that could not be tested."""

    path: str | None  # of a layer in the module; "" is the whole of it; None: no layer is known
    what: str
    around: bool = False  # code around the layer may make up for it

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" if self.path else self.what


@dataclass(frozen=True)
class Check:
    """The answer of ``check``; ``str`` says it in plain words.

    - ``status``: "proved" where each layer by itself and the whole were seen to agree, "wrong"
      where something differs, "not tested" where something could not be judged.
    - ``first``: the path in the module of the first layer that differs; None where none is known.
    - ``cause``: what differs there, in one line; None where nothing does.
    - ``untested``: what could not be judged, and why.
    - ``notes``: what is no fault, and good to know.
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
        """One of STATUSES."""
        if self.wrong:
            return "wrong"
        return "not tested" if self.untested else "proved"

    @property
    def ok(self) -> bool:
        """The twin is proved to be a right port."""
        return self.status == "proved"

    @property
    def first(self) -> str | None:
        """The path in the module of the first layer that differs."""
        return self.wrong[0].path if self.wrong else None

    @property
    def cause(self) -> str | None:
        """What differs first."""
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
        """Everything, as JSON takes it."""
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
