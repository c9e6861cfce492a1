"""Whether a module still runs the code of the class that it is read as.

A module is read by the fields of a class that is known. That says what the module computes only
where all of that class's own code runs: not where a subclass, or the instance itself, has put
something else in the place of a method, a property or whatever else the class defines.
"""

import inspect
import sys
from collections.abc import Iterator
from typing import Any

from convparity.impls.registry import FRAMEWORKS

# What may be replaced, as no forward pass depends on it: how a module is made, printed, saved,
# copied and trained. Python's own notes in a class's dictionary are here, too.
HARMLESS = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations__",
        "__annotations_cache__",
        "__class_getitem__",
        "__constants__",
        "__copy__",
        "__deepcopy__",
        "__del__",
        "__dict__",
        "__doc__",
        "__eq__",
        "__firstlineno__",
        "__getstate__",
        "__hash__",
        "__init__",
        "__init_subclass__",
        "__module__",
        "__orig_bases__",
        "__parameters__",
        "__qualname__",
        "__reduce__",
        "__reduce_ex__",
        "__setstate__",
        "__slots__",
        "__static_attributes__",
        "__str__",
        "__treescope_repr__",
        "__type_params__",
        "__weakref__",
        "_abc_impl",
        "_get_name",
        "_load_from_state_dict",
        "_pytree__is_pytree",
        "_pytree__nodes",
        "_save_to_state_dict",
        "_version",
        "build",
        "build_from_config",
        "compute_loss",
        "compute_metrics",
        "compute_output_shape",
        "dump_patches",
        "extra_repr",
        "from_config",
        "get_build_config",
        "get_compile_config",
        "get_config",
        "get_extra_state",
        "load_assets",
        "load_own_variables",
        "load_state_dict",
        "loss",
        "metrics",
        "quantize",
        "reset_parameters",
        "save_assets",
        "save_own_variables",
        "set_extra_state",
        "state_dict",
        "summary",
        "test_step",
        "train_step",
    }
)


def is_harmless(name: str) -> bool:
    """No forward pass depends on it; whatever ends so prints a module, in one way or another."""
    return name in HARMLESS or name.endswith("_repr__")


def _trusted() -> frozenset[str]:
    """The packages that the code of a framework's classes may come from."""
    return frozenset({"convparity"}.union(*(row.packages for row in FRAMEWORKS.values())))


def replaced_by_class(kind: type, base: type) -> list[str]:
    """What of ``base`` the classes that inherit it have replaced, down to ``kind``."""
    return sorted(
        name
        for each in _below(kind, base)
        if not is_ours(each)
        for name in vars(each)
        if not is_harmless(name) and hasattr(base, name)
    )


def replaced_by_instance(module: Any) -> list[str]:
    """The methods and properties of a module's class that the instance itself has replaced."""
    kind = type(module)
    return sorted(
        name
        for name in vars(module)
        if not is_harmless(name) and hasattr(kind, name) and _is_code(kind, name)
    )


def patched(base: type) -> list[str]:
    """The methods of a framework's class, or of those it inherits, that others have replaced."""
    trusted = _trusted()
    return sorted(
        f"{each.__name__}.{name}"
        for each in base.__mro__
        if each.__module__.partition(".")[0] in trusted
        for name, value in vars(each).items()
        if not is_harmless(name) and _is_strange(value, trusted)
    )


def _is_strange(value: Any, trusted: frozenset[str]) -> bool:
    """It is a function, or is made of one, that comes from neither a framework nor Python."""
    for attribute in ("fget", "__func__", "__wrapped__"):
        value = getattr(value, attribute, None) or value
    if not inspect.isfunction(value):
        return False
    root = (value.__module__ or "builtins").partition(".")[0]
    return root not in trusted and root not in sys.stdlib_module_names


def _is_code(kind: type, name: str) -> bool:
    found = inspect.getattr_static(kind, name)
    return callable(found) or hasattr(type(found), "__get__")


def _below(kind: type, base: type) -> Iterator[type]:
    """The classes that come before ``base`` where Python looks for a name."""
    for each in kind.__mro__:
        if each is base:
            return
        yield each


def is_ours(kind: type) -> bool:
    """It is a class of this package, and not merely called like one."""
    page = sys.modules.get(kind.__module__)
    return kind.__module__.startswith("convparity.impls.") and (
        getattr(page, kind.__name__, None) is kind
    )
