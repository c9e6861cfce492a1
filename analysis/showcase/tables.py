"""The main job, drawn: each chapter of ``showcase.chapters``, its data as tables and sentences."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table

from convparity.analysis.cost.counting import total_cost
from convparity.analysis.report import tables
from convparity.analysis.report.tables import Part, shape_text, table
from convparity.analysis.showcase import chapters

Data = Mapping[str, Any]


def tutorial(data: Data) -> Iterator[Part]:
    """The tutorial's figures, and where they are right."""
    costs = {
        title: total_cost(spec, chapters.TUTORIAL_INPUT) for title, spec in chapters.LAYERS.items()
    }
    yield tables.learnables_table(costs)
    yield reported_table(data["layers"])
    yield tables.costs_table(costs)
    yield tables.conventions_table(costs)
    regular, separable = costs["regular"], costs["separable"]
    yield (
        f"The separable layer has {data['reduction_percent']} % fewer learnables, and the same "
        "output: true in every framework."
    )
    yield (
        f"Its FLOPs figure, {regular.flops('tutorial'):,}, is not what is computed: it multiplies "
        f"by the input's {shape_text(regular.input_shape[1:3])} pixels, where the layer computes "
        f"{shape_text(regular.output_shape[1:3])}, and counts a MAC and a bias addition as one "
        f"each. The layer takes {regular.macs:,} MACs."
    )
    yield (
        '"More efficient in memory" holds for the weights only: one step after the other, the '
        f"separable layer moves {separable.bytes_moved() / 1e6:.3f} MB at batch 1, the regular one "
        f"{regular.bytes_moved() / 1e6:.3f} MB."
    )


def photograph(data: Data) -> Iterator[Part]:
    """Both verdicts of both layers."""
    for layer, verdicts in data["verdicts"].items():
        title = f"Parity of the {layer} layer; precision on a photograph ({data['photograph']})"
        yield tables.verdicts_table(title, verdicts)


def classify(data: Data) -> Iterator[Part]:
    """What EfficientNet-Lite0 sees in each framework, and with the wrong padding."""
    yield photographs_table(data["photographs"])
    yield agreement_table(data["frameworks"])
    yield symmetric_table(data["photographs"], data["symmetric_padding"])


def mobilenet(data: Data) -> Iterator[Part]:
    """MobileNetV1's counts and verdicts."""
    yield paper_table(data["rows"])
    yield _reported(data["rows"])
    yield tables.verdicts_table("Parity of 1.0 MobileNet-224", data["verdicts"])


CHAPTERS: dict[str, Callable[[Data], Iterator[Part]]] = {
    "tutorial": tutorial,
    "photograph": photograph,
    "efficientnet_lite0": classify,
    "mobilenet_v1": mobilenet,
}


# ---------------------------------------------------------------- tables


def reported_table(layers: Data) -> Table:
    """What each framework itself reports of the tutorial's two layers."""
    shown = table("As each framework reports it", "framework", *layers)
    names = next(iter(layers.values()))["reported"]
    for name in names:
        cells = (layer["reported"][name] for layer in layers.values())
        texts = (f"{c['learnables']:,} learnables, {shape_text(c['output_shape'])}" for c in cells)
        shown.add_row(name, *texts)
    return shown


def photographs_table(photographs: Data) -> Table:
    """The five likeliest classes of each photograph, and their probability in each framework."""
    names = next(iter(photographs.values()))
    columns = ("photograph", "class", "name", *names)
    shown = table("EfficientNet-Lite0 on real photographs", *columns, text=("name",))
    for photo, rows in photographs.items():
        for place, per_framework in enumerate(zip(*rows.values(), strict=True)):
            first = per_framework[0]
            same = all(each["class"] == first["class"] for each in per_framework)
            shown.add_row(
                "" if place else photo,
                str(first["class"]) if same else "/".join(str(e["class"]) for e in per_framework),
                first["name"],
                *(f"{each['probability']:.4f}" for each in per_framework),
            )
        shown.add_section()
    return shown


def agreement_table(frameworks: Data) -> Table:
    """How far each framework's logits are from float64, and how long one photograph takes."""
    columns = ("framework", "learnables", "largest logit error", "of independent roundings")
    title = (
        "Against float64; the time is that of one photograph, "
        f"the median of {chapters.REPEATS} runs after a warm-up"
    )
    shown = table(title, *columns, "bits", "time")
    for name, row in frameworks.items():
        shown.add_row(
            name,
            f"{row['count']['trainable']:,}",
            f"{row['largest_logit_difference']:.1e}",
            f"{row['rho']:.1f} x",
            f"{row['effective_bits']:.1f}",
            f"{1e3 * row['seconds']:.1f} ms",
        )
    return shown


def symmetric_table(photographs: Data, wrong: Data) -> Table:
    """The first class with TensorFlow's padding, and with k // 2 on both sides."""
    title = '"same" as k // 2 on both sides: no shape and no count changes, and nothing warns'
    columns = ("photograph", "right padding", "symmetric padding", "in")
    shown = table(title, *columns, text=columns)
    for photo, rows in photographs.items():
        right = next(iter(rows.values()))[0]
        by_class: dict[int, list[str]] = {}
        for name, first in wrong[photo].items():
            by_class.setdefault(first["class"], []).append(name)
        for number, names in by_class.items():
            first = wrong[photo][names[0]]
            moved = number != right["class"]
            shown.add_row(
                photo,
                _classed(right),
                f"[red]{_classed(first)}[/]" if moved else _classed(first),
                "all" if len(names) == len(rows) > 1 else ", ".join(names),
            )
    return shown


def _classed(row: Data) -> str:
    return f"{row['class']} {row['name']} ({row['probability']:.3f})"


def paper_table(rows: Iterable[Data]) -> Table:
    """MobileNetV1's counts beside those that its paper prints."""
    title = "MobileNetV1 against its paper, which counts in millions"
    columns = ("", "in the paper", "MACs", "in the paper", "learnables", "agrees")
    shown = table(title, *columns, text=("agrees",))
    for row in rows:
        shown.add_row(
            row["title"],
            f"{row['paper_million_macs']:g}",
            f"{row['macs']:,}",
            f"{row['paper_million_parameters']:g}",
            f"{row['parameters']:,}",
            row["agrees"],
        )
    return shown


def _reported(rows: Iterable[Data]) -> str:
    """Whether the frameworks count the same learnables."""
    others = [
        f"{row['title']}: {name} counts {count:,}"
        for row in rows
        for name, count in row["reported"].items()
        if count != row["parameters"]
    ]
    return "; ".join(others) or "Each framework counts the same learnables."
