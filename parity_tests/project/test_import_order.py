"""triton is imported before TensorFlow, or not at all: in no order of imports does the process die.

Where triton is not installed, as with PyTorch's CPU build, a stand-in takes its place, which kills
the process if TensorFlow came before it.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity_tests.support.root import ROOT

# PyTorch looks into triton when it finds it: whatever it asks for is there.
STAND_IN = """
import importlib.machinery, os, sys

if "tensorflow" in sys.modules:
    os.abort()

class Anything(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {})
    def __contains__(cls, item):
        return False

class Finder:
    def find_spec(self, name, path, target=None):
        if name.startswith("triton."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Anything(spec.name, (), {})
    def exec_module(self, module):
        pass

sys.meta_path.insert(0, Finder())
known = {"__path__": [], "__spec__": __spec__, "__version__": "3.0.0"}
sys.modules["triton"] = Anything("triton", (), known)
"""


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """A new interpreter, which finds ``path`` first, then us."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*path, ROOT)))
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


# ---------------------------------------------------------------- every order, without frameworks

# Stand-ins for all of them, which import each other as the real ones do.
PACKAGES = {
    "triton": """
import sys
class Death(BaseException):
    pass
if "tensorflow" in sys.modules:
    raise Death
""",
    "tensorflow": "import jax",
    "keras": "import os\nif os.environ['KERAS_BACKEND'] == 'tensorflow':\n    import tensorflow",
    "torch": """
def optimizer():
    try:
        import triton
    except ImportError:
        pass
""",
    "jax": "",
}
EVERY_ORDER = """
import importlib, itertools, json, sys, warnings
from convparity.impls import import_order

warnings.simplefilter("ignore")
PACKAGES = {packages}

def play(steps):
    for name in PACKAGES:
        sys.modules.pop(name, None)
    sys.meta_path[:] = [each for each in sys.meta_path if each is not import_order.WATCHER]
    for step in steps:
        try:
            import_order.watch() if step == "convparity" else importlib.import_module(step)
        except ImportError:  # the user's own triton, once it is blocked
            pass
    sys.modules["torch"].optimizer()

found = []
for size in range(len(PACKAGES) + 1):
    for steps in itertools.permutations([*PACKAGES, "convparity"], size + 1):
        for later in (["keras", "torch"], ["torch", "keras"]) if "convparity" in steps else ():
            died = None
            try:
                play([*steps, *later])
            except BaseException as error:
                died = type(error).__name__
            found.append([steps, died, sys.modules.get("triton", "missing") is None])
print(json.dumps(found))
"""


def stand_ins(folder: Path, *names: str) -> Path:
    """A folder with modules of these names, or of all."""
    for name in names or PACKAGES:
        (folder / f"{name}.py").write_text(PACKAGES[name])
    return folder


def test_no_order_of_imports_is_fatal(tmp_path: Path) -> None:
    """Once we are imported; what kills the process before that, we can't prevent."""
    done = run(EVERY_ORDER.format(packages=list(PACKAGES)), stand_ins(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 2 * 1631
    never = len(PACKAGES)
    for steps, died, blocked in found:
        before = steps[: steps.index("convparity")]
        place = {name: before.index(name) if name in before else never for name in PACKAGES}
        tensorflow, triton = min(place["tensorflow"], place["keras"]), place["triton"]
        assert died == ("Death" if tensorflow < triton < never else None), steps
        assert blocked == (tensorflow < triton == never), steps


SAYS = """
import sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {code}
state = sys.modules.get("triton", "not imported")
print("blocked" if state is None else state if state == "not imported" else "imported")
for each in caught:
    print(each.category.__name__, each.filename, each.message)
"""


def says(code: str, folder: Path) -> list[str]:
    """What became of triton, and the warnings."""
    done = run(SAYS.format(code=code), folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("import convparity", "not imported"),
        ("import convparity, torch, jax", "not imported"),
        (
            "import os, convparity; os.environ['KERAS_BACKEND'] = 'jax'; import keras",
            "not imported",
        ),
        ("import convparity, tensorflow", "imported"),
        ("import convparity, keras", "imported"),
        ("import triton, tensorflow, convparity", "imported"),
        ("sys.modules['tensorflow'] = None; import convparity, torch", "not imported"),
        ("sys.modules['triton'] = None; import tensorflow, convparity, keras", "blocked"),
    ],
)
def test_triton_comes_with_tensorflow_and_never_else(tmp_path, code, state) -> None:
    assert says(code, stand_ins(tmp_path)) == [state]  # and no warning


def test_a_late_triton_is_blocked_with_a_warning(tmp_path) -> None:
    code = "import tensorflow, convparity, torch; torch.optimizer()"
    state, warning = says(code, stand_ins(tmp_path))
    assert state == "blocked"
    assert warning.startswith("ImportOrderWarning <string> TensorFlow was imported before triton")
    for part in ("PyTorch works", "torch.compile for a GPU", "`import triton` before"):
        assert part in warning


def test_a_broken_triton_is_blocked_with_a_warning(tmp_path) -> None:
    (tmp_path / "triton.py").write_text("raise RuntimeError('no libtriton')")
    code = "import convparity, tensorflow, torch; torch.optimizer()"
    state, warning = says(code, stand_ins(tmp_path, "tensorflow", "torch", "jax"))
    assert state == "blocked"
    assert "triton cannot be imported (RuntimeError: no libtriton): it is blocked" in warning
    assert "mend its installation" in warning


HIDE = """from importlib.machinery import PathFinder
    find = PathFinder.find_spec
    PathFinder.find_spec = lambda name, *rest: None if name == {!r} else find(name, *rest)"""


@pytest.mark.parametrize("missing", ["triton", "tensorflow"])
@pytest.mark.parametrize(
    "order", ["convparity, tensorflow, torch", "tensorflow, convparity, torch"]
)
def test_without_one_of_them_nothing_happens(tmp_path, missing, order) -> None:
    lines = [f"    try: import {name}\n    except ImportError: pass" for name in order.split(", ")]
    assert says("\n".join([HIDE.format(missing), *lines]), stand_ins(tmp_path)) == ["not imported"]


# ---------------------------------------------------------------- the frameworks themselves

USE = """
import numpy as np

def ask(name):
    import convparity

    layers = {"conv": convparity.Conv(2, 3, 3), "norm": convparity.BatchNorm(3)}
    spec = convparity.Sequential(layers)
    return convparity.build(spec, convparity.init_weights(spec, 0), framework=name)
"""
WORK = """
import convparity
from convparity.impls import registry

module = convparity.convert(convparity.convert(ask("pytorch"), to="keras"), to="pytorch")
adapter = registry.get("pytorch")
x = np.arange(50, dtype="float32").reshape(1, 5, 5, 2)
y = adapter.forward(module, x)
adapter.backward(module, x, y)
adapter.train(module, x, y, rate=0.1)  # its optimizer asks for triton
import sys, torch, torch._dynamo
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(3)).sum() == 6
print("triton", "blocked" if sys.modules["triton"] is None else "imported")
"""


ORDERS = [
    ("ask('pytorch'); import tensorflow", "imported"),
    ("import keras, torch", "blocked"),
]
if importlib.util.find_spec("triton") is not None:  # of a stand-in, these would tell no more
    ORDERS += [
        ("ask('keras')", "imported"),
        ("import convparity, tensorflow, triton, torch", "imported"),
        ("import torch, jax, flax, tensorflow", "blocked"),
    ]


@pytest.mark.frameworks
@pytest.mark.parametrize(("first", "state"), ORDERS)
def test_the_frameworks_survive(tmp_path, first, state) -> None:
    path = []
    if importlib.util.find_spec("triton") is None:
        (tmp_path / "triton.py").write_text(STAND_IN)
        path.append(tmp_path)
    done = run(f"{USE}\n{first}\n{WORK}", *path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == f"triton {state}"
    assert done.stderr.count("ImportOrderWarning") == (state == "blocked"), done.stderr[-3000:]


@pytest.mark.frameworks
def test_the_stand_in_kills(tmp_path) -> None:
    (tmp_path / "triton.py").write_text(STAND_IN)
    assert run("import tensorflow, triton", tmp_path).returncode < 0
