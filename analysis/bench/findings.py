"""What the times say: ratios of series that took turns, each beside its goal."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from convparity.analysis.bench.timing import Spread, ratio
from convparity.impls import registry

Data = dict[str, Any]


class Finding(NamedTuple):
    """How many times as fast something is, as was hoped or not."""

    claim: str
    subject: str
    direction: str
    speedup: Spread
    goal: float

    @property
    def met(self) -> bool:
        """The median of the rounds reached it."""
        return self.speedup.median >= self.goal


def select(rows: list[Data], **wanted: Any) -> list[Data]:
    """The rows that have these values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def fastest(rows: list[Data]) -> Data | None:
    """The row with the smallest median; None of none."""
    return min(rows, key=lambda row: row["time"]["median"], default=None)


def chosen(rows: list[Data], framework: str) -> list[Data]:
    """What ``build`` gives of one module: "auto", or "native" where that is the same code.

    The same code is measured once, as "native", in each memory format.
    """
    auto = select(rows, framework=framework, algorithm="auto")
    formats = {row["memory_format"] for row in auto}
    native = select(rows, framework=framework, algorithm="native")
    return auto + [row for row in native if row["memory_format"] not in formats]


def best(rows: list[Data], framework: str, algorithm: str) -> Data | None:
    """The fastest memory format; None of "auto" where that is the row of "native"."""
    native = fastest(select(rows, framework=framework, algorithm="native"))
    if algorithm == "native":
        return native
    built = as_built(rows, framework)
    return None if built is native else built


def as_built(rows: list[Data], framework: str) -> Data | None:
    """The fastest of what ``build`` gives, whatever code that is."""
    return fastest(chosen(rows, framework))


def speedup(slow: Data | None, fast: Data | None) -> Spread | None:
    """How many times as fast the second is; None where one of them was not measured."""
    if slow is None or fast is None:
        return None
    return ratio(slow["seconds"], fast["seconds"])


def findings(rows: list[Data]) -> Iterator[Finding]:
    """Every claim that the rows can decide."""
    for group in groups(rows):
        subject = f"{group[0]['kind']} {group[0]['title']}"
        direction = group[0]["direction"]
        for claim, slow, fast, goal in (*_own_best(group), *_replaced(rows, group)):
            found = speedup(slow, fast)
            if found is not None:
                yield Finding(claim, subject, direction, found, goal)


def groups(rows: list[Data]) -> list[list[Data]]:
    """The rows of one module in one direction, in the order in which they were measured."""
    found: dict[tuple[str, ...], list[Data]] = {}
    for row in rows:
        found.setdefault((row["title"], row["kind"], row["direction"]), []).append(row)
    return list(found.values())


Claim = tuple[str, Data | None, Data | None, float]


def _own_best(group: list[Data]) -> Iterator[Claim]:
    """Nothing is slower than the framework's own layer."""
    for name in dict.fromkeys(row["framework"] for row in group):
        for auto in select(group, framework=name, algorithm="auto"):
            own = select(
                group, framework=name, algorithm="native", memory_format=auto["memory_format"]
            )
            yield f"{name}, {auto['memory_format']}: its own", fastest(own), auto, 1.0


def _replaced(rows: list[Data], group: list[Data]) -> Iterator[Claim]:
    """What a framework's own convolution spoils, and what our algorithms are to mend."""
    kind, direction = group[0]["kind"], group[0]["direction"]
    for name in dict.fromkeys(row["framework"] for row in group):
        goals = registry.framework(name).goals
        if goals is None:
            continue
        ours = as_built(group, name)
        own = fastest(select(group, framework=name, algorithm="native"))
        if (kind, direction) == ("depthwise", "gradient"):
            yield f"{name}: its own depthwise", own, ours, goals.depthwise_gradient
        if kind != "separable":
            continue
        same = {"title": group[0]["title"], "direction": direction}
        regular = select(rows, kind="regular", **same)
        if regular and 7 < regular[0]["macs"] / group[0]["macs"] < 10:
            slow = fastest(select(regular, framework=name))
            yield f"{name}: its regular layer", slow, ours, goals.regular
        yield f"{name}: its own separable", own, ours, goals.own
        for other, goal in goals.others.items():
            theirs = select(
                group, framework=other, algorithm="native", memory_format="channels_last"
            )
            yield f"{name}: {other}, channels last", fastest(theirs), ours, goal
