"""Mutants of all that comes in: files, lines, calls, modules."""

import contextlib
import importlib.util
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

import convparity
from convparity.analysis.cli import cli
from convparity.analysis.commands.diagnose import read_output
from convparity.analysis.replay.replay import parse
from convparity.analysis.showcase import pictures
from convparity.impls import registry

SPEC = convparity.Sequential(
    convparity.Conv(2, 4, 3, stride=2, padding="same"),
    convparity.BatchNorm(4),
    convparity.Activation("relu6"),
    convparity.GlobalAvgPool(),
    convparity.Dense(4, 3),
)
WEIGHTS = convparity.init_weights(SPEC, 0)
SHAPE = (2, 6, 5, 2)
LINES = [
    "conv2d c4>8 k3x2 s2x1 d1x2 same g2 n1 hw7x9 ints:17",
    "conv1d c2>4 k3 causal reflect g2 nobias n3 w7 ints:0",
    "conv3d c2>3 k3 p2:1x1:1x0:2 replicate n1 dhw4x3x2 reals:5",
    "separable2d c3>5 k3 s2 same m2 nodwbias n2 hw7 reals:1",
    "transpose2d c4>6 k3x2 s2x1 p1x0 op1x0 g2 n1 hw4x5 ints:3",
    "maxpool2d k3x2 s2x1 p1:2x0:1 n1 hw6x5 c3 reals:2",
    "batchnorm2d c3 eps0.001 n1 hw4 ints:5",
    "conv2d c3>4 k3 same nobias n1 hw8 | batchnorm2d c4 | residual( conv2d c4>4 k3 same | relu ; "
    "depthwise2d c4 k1 ) | leaky_relu a0.2 | avgpool2d k2 nocount | gap | dense c4>2 ints:6",
    convparity.to_json(SPEC)[:-1] + ', "input_shape": [2, 6, 5, 2], "data": "ints:3"}',
]
GRAPH = convparity.Graph(
    {
        "stem": (convparity.Conv(2, 4, 3, padding="same"), "x"),
        "again": (convparity.Activation("relu"), "stem"),
        "twice": ("again", "again"),
        "both": (convparity.Concat(), "twice", "x"),
    }
)
LINES.append(convparity.to_json(GRAPH)[:-1] + ', "input_shape": [2, 6, 5, 2], "data": "ints:3"}')
NUMBERS = ["0", "1", "-1", "2", "7", "99", "65536", "999999", "2147483648", "9" * 30, "9" * 4301]
WORDS = [
    *("|", "(", ")", ";", "residual(", "x", ":", "same", "{", "[", '"'),
    *("\0", "\x1b[2J", "é", " "),
]

# ---------------------------------------------------------------- mutants of bytes and of text


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four changes: bits, bytes, numbers, pieces cut, doubled, moved, or put in."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        size = len(changed)
        start = int(rng.integers(0, size + 1))
        end = min(size, start + int(2 ** rng.uniform(0, 10)))
        match int(rng.integers(8)):
            case 0 if start < size:
                changed[start] ^= 1 << int(rng.integers(8))
            case 1 if start < size:
                changed[start] = int(rng.choice([0, 1, 127, 128, 255]))
            case 2:
                del changed[start:end]
            case 3:
                changed[start:start] = changed[start:end]
            case 4:
                changed[start:start] = rng.bytes(int(rng.integers(1, 64)))
            case 5:
                del changed[start:]
            case 6 if start + 8 <= size:
                huge = int(rng.choice([0, 1, 2**31, 2**40, 2**63]))
                changed[start : start + 8] = huge.to_bytes(8, "little")
            case _:
                digits = [i for i, byte in enumerate(changed) if 48 <= byte < 58]
                if digits:
                    changed[int(rng.choice(digits))] = 48 + int(rng.integers(10))
    return bytes(changed)


def mutated_line(line: str, rng: np.random.Generator) -> str:
    """One to three changes of words, numbers and letters."""
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(0, len(line) + 1))
        match int(rng.integers(6)):
            case 0 | 1:
                spots = [i for i, letter in enumerate(line) if letter.isdigit()]
                if spots:
                    at = int(rng.choice(spots))
                    line = line[:at] + str(rng.choice(NUMBERS)) + line[at + 1 :]
            case 2:
                words = line.split(" ")
                del words[int(rng.integers(len(words)))]
                line = " ".join(words)
            case 3:
                words = line.split(" ")
                words.insert(
                    int(rng.integers(len(words) + 1)), words[int(rng.integers(len(words)))]
                )
                line = " ".join(words)
            case 4:
                line = (
                    line[:start] + str(rng.choice(WORDS)) * int(rng.integers(1, 4)) + line[start:]
                )
            case _:
                line = line[:start] + line[start + 1 :]
    return line


# ---------------------------------------------------------------- files


@cache
def files() -> dict[str, bytes]:
    """A whole file of each kind that is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        convparity.save(path / "w.safetensors", SPEC, WEIGHTS)
        np.save(path / "y.npy", WEIGHTS["0.kernel"])
        if "pytorch" in registry.available():
            import torch

            tensors = {"_fc.bias": torch.ones(3), "_fc.weight": torch.ones(3, 2)}
            torch.save(tensors, path / "zip.pth")
            torch.save(tensors, path / "former.pth", _use_new_zipfile_serialization=False)
        if importlib.util.find_spec("PIL") is not None:
            from PIL import Image

            pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
            for suffix in ("png", "jpeg"):
                Image.fromarray(pixels).save(path / f"picture.{suffix}")
        return {file.name: file.read_bytes() for file in path.iterdir()}


def file_mutant(rng: np.random.Generator) -> tuple[str, Callable[[], None]]:
    """A changed file, read."""
    name = str(rng.choice(sorted(files())))
    data = mutated(files()[name], rng)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            if name == "y.npy":
                read_output(path)
                return
            if name.startswith("picture"):
                assert np.isfinite(pictures.prepare(path, 32)).all()
                return
            spec, weights = convparity.load(path)
        assert spec == SPEC, "another spec was read"
        for each, array in weights.items():
            assert array.tobytes() == WEIGHTS[each].tobytes(), f"another {each} was read"

    return f"{name} of {len(data)} bytes", run


# ---------------------------------------------------------------- lines


def line_mutant(rng: np.random.Generator) -> tuple[str, Callable[[], None]]:
    """A changed line: read, said again, counted, and its case computed."""
    line = mutated_line(str(rng.choice(LINES)), rng)

    def run() -> None:
        case = parse(line)
        assert parse(str(case)) == case, f"it says {case}"
        convparity.total_cost(case.spec, case.input_shape)
        case.target()

    return line, run


# ---------------------------------------------------------------- commands


COMMANDS = [
    ["count", LINES[0].rpartition(" ")[0]],
    ["count", "mobilenet_v1", "--width", "0.5", "--input", "1x224x224x3"],
    ["replay", LINES[0], "--script", "flax"],
    ["diagnose", "conv2d c2>4 k3 hw3 n1 ints:1", "--output", "y.npy", "--seconds", "0.1"],
    ["layers", "w.safetensors", "w.safetensors", "--input", "2x6x5x2", "--seed", "3"],
    ["compare", "w.safetensors", "w.safetensors", "--input", "2x6x5x2", "--json", "out.json"],
    ["divergences", "same", "padding", "--code"],
    ["bench", "--from", "out.json"],
]


def command_mutant(rng: np.random.Generator) -> tuple[str, Callable[[], None]]:
    """A command with one of its words changed, in a folder with files that are read."""
    words = list(COMMANDS[int(rng.integers(len(COMMANDS)))])
    at = int(rng.integers(1, len(words)))
    words[at] = mutated_line(words[at], rng)

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for name, data in files().items():
                Path(name).write_bytes(data)
            done = CliRunner().invoke(cli, words)
            assert "\x1b" not in done.output, "an escape sequence is printed"
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception

    return " ".join(words), run


# ---------------------------------------------------------------- calls


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else []


class Odd:
    """It is no value, and says so in a thousand words."""

    def __repr__(self) -> str:
        return "odd " * 1000


VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3, 2.5, float("nan"), float("inf"), 10**40, 1j),
    *("", "text", "conv2d", "pytorch", "x" * 5000, b"bytes", "\x1b[31m", "zero\0"),
    *([], (), {}, set(), [1, [2]], [[1, 2], [3]], {1: 2}, {"kernel": None}, range(3)),
    *(object, Odd(), len, convparity.Conv, _nested(50), iter(())),
    *(np.float32(2), np.int64(-5), np.array(1.0), np.array([]), np.zeros((0, 3, 3, 2))),
    *(np.ones(SHAPE), np.ones(SHAPE, ">f4"), np.ones(SHAPE, complex), np.ones(SHAPE, bool)),
    *(np.full(SHAPE, np.nan), np.full(SHAPE, np.inf), np.full(SHAPE, 1e300), np.zeros(SHAPE)),
    *(np.full(SHAPE, "1"), np.full(SHAPE, "2020", "M8[D]"), np.full(SHAPE, None, object)),
    *(np.ma.masked_all(SHAPE), np.ma.array(np.ones(SHAPE)), np.zeros(SHAPE, [("a", "f4")])),
    *(np.broadcast_to(np.float32(1), (2**20, 2**10, 2**5, 2)), np.ones((2, 6, 5, 3))),
    *({"a": (SPEC, "x"), "b": ("a", "x")}, {"a": 1}, ("a",), {"y": "a"}, GRAPH),
    *(convparity.Conv(2, 3, 3), SPEC, WEIGHTS, {k: -v for k, v in WEIGHTS.items()}),
    *({**WEIGHTS, 3: np.ones(2)}, {**WEIGHTS, "0.bias": [1, [2]]}, dict.fromkeys(WEIGHTS)),
    *(SHAPE, [2, 6, 5, 2], (2, 6, 5), (2, -6, 5, 2), (2, 6.0, 5, 2), (2, 10**9, 10**9, 2)),
]
DENSE = convparity.Dense(3, 2)
SPECS = (
    *(convparity.Conv, convparity.DepthwiseConv, convparity.SeparableConv),
    *(convparity.ConvTranspose, convparity.MaxPool, convparity.AvgPool, convparity.BatchNorm),
    *(convparity.LayerNorm, convparity.GroupNorm, convparity.Scale, convparity.Dense),
    *(convparity.Dropout, convparity.Activation, convparity.Sequential, convparity.Residual),
    *(convparity.Graph, convparity.Concat),
)


def _calls() -> Iterator[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """Public functions, with arguments that are right."""
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    whole = {"spec": SPEC, "weights": WEIGHTS, "x": x}
    yield "reference", convparity.reference, whole
    yield "init_weights", convparity.init_weights, {"spec": SPEC, "seed": 0}
    yield "parameter_shapes", convparity.parameter_shapes, {"spec": SPEC}
    yield "output_shape", convparity.output_shape, {"spec": SPEC, "input_shape": SHAPE}
    yield "total_cost", convparity.total_cost, {"spec": SPEC, "input_shape": SHAPE}
    yield "layer_costs", convparity.layer_costs, {"spec": SPEC, "input_shape": SHAPE}
    yield "to_json", convparity.to_json, {"spec": SPEC}
    yield "from_json", convparity.from_json, {"text": convparity.to_json(SPEC)}
    yield "to_line", convparity.to_line, {"spec": DENSE, "input_shape": (1, 3)}
    yield "from_line", convparity.from_line, {"text": "dense c3>2 n1"}
    yield "save", convparity.save, {"path": "w.safetensors", "spec": SPEC, "weights": WEIGHTS}
    yield "load", convparity.load, {"path": "w.safetensors"}
    yield (
        "judge",
        convparity.judge,
        {"candidate": convparity.reference, "spec": DENSE, "input_shape": (2, 3), "seed": 0},
    )
    yield (
        "compare_callables",
        convparity.compare_callables,
        {"candidate": np.tanh, "expected": np.tanh, "input_shape": (2, 3), "dtype": "float32"},
    )
    yield "diagnose", convparity.diagnose, {"port": x[:, 0, 0, :], **whole, "seconds": 0.1}
    yield (
        "first_divergence",
        convparity.first_divergence,
        {"module": (SPEC, WEIGHTS), "expected": (SPEC, WEIGHTS), "x": x, "seed": 0},
    )
    yield "compare", convparity.compare, {**whole, "frameworks": [], "seed": 0, "dtype": "float32"}
    yield "build", convparity.build, {"spec": SPEC, "weights": WEIGHTS, "framework": "torch"}
    yield "apply", convparity.apply, {**whole, "framework": "torch", "dtype": "float32"}
    yield "describe", convparity.describe, {"module": None, "inputs": None}
    yield "convert", convparity.convert, {"module": None, "to": "flax", "inputs": None}
    yield "check", convparity.check, {"module": None, "twin": None, "inputs": x}
    yield "dump", convparity.dump, {"module": None}


CALLS = list(_calls())


def call_mutant(rng: np.random.Generator) -> tuple[str, Callable[[], None]]:
    """A call with one or two arguments replaced."""
    if rng.integers(4):
        name, function, right = CALLS[int(rng.integers(len(CALLS)))]
        given = dict(right)
        names = list(given)
    else:
        function = SPECS[int(rng.integers(len(SPECS)))]
        name, given = function.__name__, {}
        names = list(convparity.impls.spec.arguments(function))
    for key in rng.choice(names, min(len(names), int(rng.integers(1, 3))), replace=False):
        given[str(key)] = VALUES[int(rng.integers(len(VALUES)))]
    if (
        name == "save"
        and isinstance(given["path"], str)
        and given["path"] not in ("w.safetensors",)
    ):
        given["path"] = given["path"] and f"/nowhere/{given['path']}"  # nothing is written here

    def run() -> None:
        # a path may be a name alone: nothing is written where this runs
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            own = dict(given)
            if isinstance(own.get("path"), str) and own["path"] == "w.safetensors":
                own["path"] = Path(folder) / "w.safetensors"
            try:
                function(**own)
            except TypeError as error:  # an argument that the signature does not have, or lacks
                if (
                    "argument" not in str(error)
                    or len(traceback.extract_tb(error.__traceback__)) > 1
                ):
                    raise

    return f"{name}({', '.join(f'{k}={_short(v)}' for k, v in given.items())})", run


def _short(value: Any) -> str:
    text = (
        " ".join(repr(value).split())
        if not isinstance(value, np.ndarray)
        else (f"array of {value.dtype}, {value.shape}")
    )
    return text[:80]


# ---------------------------------------------------------------- modules


def _native(framework: str) -> tuple[Any, list[Any]]:
    """A network of the framework's own layers, and these layers."""
    module = convparity.build(SPEC, WEIGHTS, framework=framework, algorithm="native")
    return module, list(registry.get(framework).children(module).values())


def module_mutant(rng: np.random.Generator) -> tuple[str, Callable[[], None]]:
    """A native module with a field of one of its layers set to anything: read, converted, checked.

    What is converted all the same runs as the module runs: ``convert`` says so itself.
    """
    names = registry.available()
    source, to = (str(each) for each in rng.choice(names, 2))
    at, field, value = (int(n) for n in rng.integers(2**31, size=3))
    call = str(rng.choice(["describe", "dump", "convert", "check"]))
    module, parts = _native(source)
    layer = parts[at % len(parts)]
    fields = _fields(layer)
    name, new = fields[field % len(fields)], _values()[value % len(_values())]

    def run() -> None:
        try:
            setattr(layer, name, new)
        except Exception:  # the framework itself refuses it
            return
        x = np.ones(SHAPE, np.float32)
        if call == "convert":
            convparity.convert(module, to=to)
        elif call == "check":
            convparity.check(module, _native(to)[0], x)
        else:
            getattr(convparity, call)(module)

    changed = f"{type(layer).__name__}.{name} = {_short(new)}"
    return f"{call}({source}'s, with {changed}){f' to {to}' if call != 'dump' else ''}", run


def _fields(layer: Any) -> list[str]:
    held = [*vars(layer), *getattr(layer, "_parameters", ()), *getattr(layer, "_buffers", ())]
    return sorted(each for each in held if not each.startswith("_")) or ["anything"]


@cache
def _values() -> list[Any]:
    """What a field is set to: any value, and arrays of dtypes that no spec has."""
    found = list(VALUES)
    if "pytorch" in registry.available():
        import torch

        kernel = torch.zeros(4, 2, 3, 3)
        found += [kernel.to(torch.float8_e4m3fn), kernel.to("meta"), kernel.to_sparse(), kernel]
        found += [torch.nn.Parameter(kernel), torch.nn.Parameter(kernel.to(torch.complex64))]
        found += [torch.nn.Parameter(kernel.to("meta")), torch.nn.Parameter(-torch.ones(4))]
    if "flax" in registry.available():
        import jax.numpy as jnp
        from flax import nnx

        found += [nnx.Param(jnp.zeros((3, 3, 2, 4), dtype)) for dtype in ("int4", "float8_e4m3fn")]
        found += [nnx.Param(jnp.zeros(3)), nnx.Param(None), nnx.Param([1]), nnx.relu, jnp.ones(4)]
    return found
