"""What a user's type checker and editor are told is true."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from convparity import Conv, build, convert
from convparity.impls import registry
from parity_tests.project.overloads import PAGE, page


def test_the_overloads_are_those_of_the_registry() -> None:
    """`python -m parity_tests.project.overloads` writes them anew."""
    assert ast.dump(ast.parse(PAGE.read_text("utf-8"))) == ast.dump(ast.parse(page()))


def arguments(function: ast.FunctionDef) -> str:
    """Names and defaults, without types."""
    names = [*function.args.args, *function.args.kwonlyargs]
    for each in names:
        each.annotation = None
    return ast.unparse(function.args).removeprefix("self, ")


def test_the_overloads_take_what_the_functions_take() -> None:
    homes = {"build": "impls/convert.py", "convert": "analysis/proof/reading.py"}
    functions = {
        each.name: each
        for name, home in homes.items()
        for each in ast.parse((PAGE.parents[1] / home).read_text("utf-8")).body
        if isinstance(each, ast.FunctionDef) and each.name == name
    }
    for kind in ast.parse(PAGE.read_text("utf-8")).body:
        if isinstance(kind, ast.ClassDef):
            calls = [each for each in kind.body if isinstance(each, ast.FunctionDef)]
            assert len(calls) == len(registry.FRAMEWORKS) + 1
            assert {arguments(call) for call in calls} == {arguments(functions[kind.name.lower()])}


# ---------------------------------------------------------------- a type checker

USE = """
from torch import nn

import convparity as cp

spec = cp.Conv(3, 8, 3)
reveal_type(cp.build(spec, framework="pytorch"))
reveal_type(cp.build(spec, cp.init_weights(spec, 0), framework="flax", dtype="float64"))
reveal_type(cp.convert(nn.Module(), to="keras"))
reveal_type(cp.convert(nn.Module(), "pytorch", inputs=None, share=True))
reveal_type(cp.output_shape(spec, (1, 5, 5, 3)))
reveal_type(cp.__version__)

cp.Conv(3, 8, (3, 5), stride=[1, 2], padding=((0, 1), (1, 1)), padding_mode="reflect")
cp.SeparableConv(3, 8, 3, 2, "same", dilation=(1, 2))
cp.MaxPool(3, padding=(1, 0))
cp.Sequential(cp.Flatten(), cp.Dense(4, 2))
cp.Sequential({"a": cp.Flatten(), "b": cp.Residual(cp.Activation("relu"))})
reveal_type(spec.kernel_size)
"""
# One error each.
MISTAKES = """
import convparity as cp

cp.Conv(3, 8, 3, padding="smae")
cp.DepthwiseConv(3, 3, padding_mode="mirror")
cp.SeparableConv(3, 8, "3")
cp.ConvTranspose(3, 8, 3, bias=1.5)
cp.AvgPool(2, padding=0.5)
cp.Activation("rleu")
cp.Sequential(cp.Flatten(), 3)
cp.Residual("body")
"""
REVEALED = [
    "torch.nn.Module",
    "flax.nnx.Module",
    "keras.layers.Layer",
    "torch.nn.Module",
    "tuple[int, ...]",
    "str",
    "tuple[int, ...]",
]


def mypy(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    (folder / "use.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "use.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": "stubs"},
        capture_output=True,
        text=True,
    )


def test_a_type_checker_knows_what_comes_back(tmp_path: Path) -> None:
    """With stand-ins for the frameworks, so that they need not be installed nor read."""
    for row in registry.FRAMEWORKS.values():
        folder, _, name = row.module.rpartition(".")
        path = tmp_path / "stubs" / folder.replace(".", "/") / "__init__.pyi"
        path.parent.mkdir(parents=True)
        (path.parents[1] / "__init__.pyi").touch()
        path.write_text(f"class {name}: ...\n")
    run = mypy(USE, tmp_path)
    lines = [line for line in run.stdout.splitlines() if ": note: " in line]
    revealed = [line.split('"')[1].replace("builtins.", "") for line in lines]
    assert revealed == REVEALED, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout


def test_a_type_checker_finds_what_no_spec_takes(tmp_path: Path) -> None:
    run = mypy(MISTAKES, tmp_path)
    wrong = {int(line.split(":")[1]) for line in run.stdout.splitlines() if ": error: " in line}
    assert wrong == {n for n, line in enumerate(MISTAKES.splitlines(), 1) if "cp." in line}


@pytest.mark.frameworks
@pytest.mark.parametrize("name", registry.FRAMEWORKS)
def test_what_comes_back_is_what_the_registry_says(name: str) -> None:
    package, _, attribute = registry.framework(name).module.rpartition(".")
    kind = getattr(importlib.import_module(package), attribute)
    assert isinstance(build(Conv(2, 3, 3), framework=name), kind)
    assert isinstance(convert(build(Conv(2, 3, 3), framework="pytorch"), to=name), kind)
