"""What is kept of the figures: no more than the tables and pictures need, and nothing twice."""

from collections.abc import Iterable
from typing import Any

from convparity.analysis.bench.timing import spread

Data = dict[str, Any]

DIGITS = 4  # significant
SERIES = ("framework", "algorithm", "memory_format", "peak_bytes", "seconds")  # others are shared


def grouped(rows: Iterable[Data]) -> list[Data]:
    """Rows that have all else in common under it, each with its own ``SERIES``."""
    found: dict[str, Data] = {}
    for row in rows:
        shared = {name: value for name, value in row.items() if name not in (*SERIES, "time")}
        group = found.setdefault(str(shared), {**shared, "series": []})
        group["series"].append({name: row[name] for name in SERIES if name in row})
    return list(found.values())


def flat(groups: Iterable[Data]) -> list[Data]:
    """The rows, each with all that it has in common with others, and its time summed up."""
    return [
        {
            **{name: value for name, value in group.items() if name != "series"},
            **series,
            "time": spread(series["seconds"]).as_dict(),
        }
        for group in groups
        for series in group["series"]
    ]


def medians(rows: Iterable[Data]) -> list[Data]:
    """Rows of which no ratio is taken: a median in the place of every round's seconds."""
    return [
        {
            **{name: value for name, value in row.items() if name != "peak_bytes"},
            "seconds": [row["time"]["median"]],
        }
        for row in rows
    ]


def conversions(networks: Iterable[Data]) -> list[Data]:
    """Of each network and pair the largest size, and how the time grew up to it."""
    return [
        {
            "width": network["width"],
            "pairs": [
                {
                    "source": pair["source"],
                    "target": pair["target"],
                    **{name: pair["sizes"][-1][name] for name in ("bytes", "layers")},
                    **{
                        name: pair["sizes"][-1][name]["median"]
                        for name in ("plain", "convert", "ratio")
                    },
                    "exponent": pair["exponent"]["convert"],
                    "peak_over_weights": pair["peak_over_weights"],
                }
                for pair in network["pairs"]
            ],
        }
        for network in networks
    ]


def starts(rows: Data) -> Data:
    """Of each process the medians."""
    return {
        name: {of: row[of]["median"] for of in ("time", "beyond numpy")}
        for name, row in rows.items()
    }


def rounded(value: Any) -> Any:
    """The same with ``DIGITS`` significant digits in every number that was measured."""
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case dict():
            return {name: rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [rounded(each) for each in value]
    return value
