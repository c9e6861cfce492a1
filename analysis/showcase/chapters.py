"""The main job: real layers, real weights and real photographs in every framework, and the proof.

Each chapter computes plain data (what ``--json`` writes, and ``showcase.tables`` draws), with the
sentences of whatever failed under ``"failures"``.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from convparity.analysis.cost import counting
from convparity.analysis.faults import symmetric_padding
from convparity.analysis.proof.compare import Verdict, compare, precision
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.analysis.showcase import pictures
from convparity.impls import networks, registry
from convparity.impls.convert import apply
from convparity.impls.files import load
from convparity.impls.networks import Network, mobilenet_v1
from convparity.impls.spec import Conv, SeparableConv, Spec
from convparity.impls.weights import init_weights

Data = dict[str, Any]
Step = Callable[[str], None]  # told what is done next, by a sentence

REGULAR = Conv(3, 64, 5, stride=2)
SEPARABLE = SeparableConv(3, 64, 5, stride=2)
LAYERS: dict[str, Spec] = {"regular": REGULAR, "separable": SEPARABLE}
TUTORIAL_INPUT = (1, 228, 228, 3)
REPEATS = 5  # timed runs; the median is reported


def tutorial(frameworks: Iterable[str], step: Step) -> Data:
    """Learnables, sizes and FLOPs of both layers: as we compute them, as each framework reports."""
    data: Data = {"input_shape": TUTORIAL_INPUT, "layers": {}, "failures": []}
    for title, spec in LAYERS.items():
        total = counting.total_cost(spec, TUTORIAL_INPUT)
        data["layers"][title] = {**total.as_dict(), "reported": {}}
        for name in frameworks:
            step(f"{name}: the tutorial's {title} layer")
            adapter = registry.get(name)
            module = adapter.build(spec, init_weights(spec, seed=0))
            y = adapter.apply(module, spec, np.zeros(TUTORIAL_INPUT, dtype=np.float32))
            reported = {"learnables": adapter.count(module).trainable, "output_shape": y.shape}
            data["layers"][title]["reported"][name] = reported
            expected = {"learnables": total.parameters, "output_shape": total.output_shape}
            if reported != expected:
                data["failures"].append(f"{name}, {title} layer: {reported}, not {expected}")
    before, after = (data["layers"][title]["parameters"] for title in LAYERS)
    data["reduction_percent"] = counting.reduction(before, after)
    return data


def photograph(frameworks: Iterable[str], step: Step) -> Data:
    """Both layers on a real photograph, judged."""
    name, path = next(iter(pictures.photographs().items()))
    x = pictures.prepare(path, TUTORIAL_INPUT[1])
    data: Data = {"photograph": name, "verdicts": {}, "failures": []}
    for title, spec in LAYERS.items():
        for framework in frameworks:
            step(f"{framework}: the {title} layer on integers and on the photograph")
            (verdict,) = compare(spec, frameworks=[framework], x=x)
            data["verdicts"].setdefault(title, []).append(verdict.to_dict())
            data["failures"] += _failures(title, verdict)
    return data


def _failures(title: str, verdict: Verdict) -> list[str]:
    return [] if verdict.ok else [f"{title}: {verdict}"]


# ---------------------------------------------------------------- a network with real weights


def classify(frameworks: Iterable[str], step: Step) -> Data:
    """EfficientNet-Lite0 as released, on four photographs; then with its padding made symmetric."""
    step("loading the released weights of EfficientNet-Lite0")
    path = pictures.released_efficientnet_lite0()
    spec, weights = load(path)
    photos = {name: pictures.prepare(file) for name, file in pictures.photographs().items()}
    x = np.concatenate(list(photos.values()))
    step("EfficientNet-Lite0 in float64, with its rounding errors")
    target = trace(spec, weights, exact_input(x))
    data: Data = {"file": path.name, "photographs": {}, "frameworks": {}, "failures": []}

    modules = {}
    for name in frameworks:
        step(f"{name}: EfficientNet-Lite0")
        adapter = registry.get(name)
        modules[name] = adapter.build(spec, weights)
        logits = adapter.apply(modules[name], spec, x)
        verdict = precision(logits, target)
        data["frameworks"][name] = {
            "count": adapter.count(modules[name])._asdict(),
            "largest_logit_difference": verdict.error,
            "rho": verdict.rho,
            "effective_bits": verdict.effective_bits,
        }
        if not verdict.ok:
            data["failures"].append(f"EfficientNet-Lite0 in {name}: {verdict}")
        for photo, row in zip(photos, logits, strict=True):
            data["photographs"].setdefault(photo, {})[name] = _top5(row)
    _same_order(data, dict(zip(photos, target.value, strict=True)))

    step("timing one photograph")
    for name, seconds in _times(modules, x[:1]).items():
        data["frameworks"][name]["seconds"] = seconds

    wrong = symmetric_padding(spec, x.shape)
    data["symmetric_padding"] = {}
    for name in frameworks:
        step(f"{name}: the same with symmetric padding")
        logits = apply(wrong, weights, x, framework=name)
        for photo, row in zip(photos, logits, strict=True):
            data["symmetric_padding"].setdefault(photo, {})[name] = _top5(row)[0]
    return data


def _top5(logits: np.ndarray) -> list[Data]:
    """The five likeliest classes, with their probabilities."""
    powers = np.exp(logits.astype(np.float64) - logits.max())
    shares = powers / powers.sum()
    best = np.argsort(-shares, kind="stable")[:5]
    names = pictures.class_names()
    return [{"class": int(i), "name": names[i], "probability": float(shares[i])} for i in best]


def _same_order(data: Data, exact: dict[str, np.ndarray]) -> None:
    for photo, rows in data["photographs"].items():
        expected = [each["class"] for each in _top5(exact[photo])]
        for name, top5 in rows.items():
            got = [each["class"] for each in top5]
            if got != expected:
                data["failures"].append(f"{photo} in {name}: top-5 {got}, not {expected}")


def _times(modules: dict[str, Any], x: np.ndarray) -> dict[str, float]:
    """The median seconds of a forward pass, the frameworks in turn, after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    for repeat in range(REPEATS + 1):
        for name, module in modules.items():
            adapter = registry.get(name)
            start = time.perf_counter()
            adapter.forward(module, x)
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


# ---------------------------------------------------------------- a network against its paper


def _published() -> Iterable[tuple[str, Network, float, float]]:
    """MobileNetV1's rows in arXiv 1704.04861, tables 4 to 6: million MACs, million parameters."""
    mobilenet = mobilenet_v1.mobilenet_v1
    yield "1.0 MobileNet-224", mobilenet(), 569, 4.2
    yield "regular convolutions", mobilenet(separable=False), 4866, 29.3
    yield "shallow", mobilenet(shallow=True), 307, 2.9
    yield "0.75 MobileNet-224", mobilenet(width=0.75), 325, 2.6
    yield "0.5 MobileNet-224", mobilenet(width=0.5), 149, 1.3
    yield "0.25 MobileNet-224", mobilenet(width=0.25), 41, 0.5


def _agreement(network: Network, total: counting.Cost, million_macs: float, millions: float) -> str:
    """Whether the exact counts round, or truncate, to what the paper prints."""
    *_, dense = counting.layer_costs(network.spec, network.input_shape)

    def prints(exact: int, printed: float) -> bool:
        digits = 1 if printed % 1 else 0
        return printed in (round(exact / 1e6, digits), int(exact / 10 ** (6 - digits)) / 10**digits)

    if not prints(total.parameters, millions):
        return "no"
    if prints(total.macs, million_macs):
        return "yes"
    return "without the dense layer" if prints(total.macs - dense.macs, million_macs) else "no"


def mobilenet(frameworks: Iterable[str], step: Step) -> Data:
    """MobileNetV1's counts against its paper, in each framework; and the network, judged."""
    data: Data = {"rows": [], "verdicts": [], "failures": []}
    for title, network, paper_macs, paper_parameters in _published():
        total = counting.total_cost(network.spec, network.input_shape)
        weights = init_weights(network.spec, seed=0)
        row: Data = {
            "title": title,
            "paper_million_macs": paper_macs,
            "macs": total.macs,
            "paper_million_parameters": paper_parameters,
            "parameters": total.parameters,
            "agrees": _agreement(network, total, paper_macs, paper_parameters),
            "reported": {},
        }
        if row["agrees"] == "no":
            data["failures"].append(f"{title}: {total.macs} MACs, {total.parameters} parameters")
        for name in frameworks:
            step(f"{name}: counting {title}")
            adapter = registry.get(name)
            reported = adapter.count(adapter.build(network.spec, weights)).trainable
            row["reported"][name] = reported
            if reported != total.parameters:
                data["failures"].append(f"{title} in {name}: {reported}, not {total.parameters}")
        data["rows"].append(row)
    network = networks.get("mobilenet_v1")
    for name in frameworks:
        step(f"{name}: MobileNetV1 on integers and on random reals")
        (verdict,) = compare(network.spec, frameworks=[name], input_shape=network.input_shape)
        data["verdicts"].append(verdict.to_dict())
        data["failures"] += _failures("MobileNetV1", verdict)
    return data


CHAPTERS: dict[str, Callable[[Iterable[str], Step], Data]] = {
    "tutorial": tutorial,
    "photograph": photograph,
    "efficientnet_lite0": classify,
    "mobilenet_v1": mobilenet,
}
