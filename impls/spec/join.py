"""Where several values become one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from convparity.impls.errors import SpecError
from convparity.impls.spec.base import INPUT, Composite, Join, Spec, Step, a_spec, check_extent
from convparity.impls.spec.checks import Shape, set_fields, takes


@dataclass(frozen=True)
class Add(Join):
    """The sum of values of one shape."""

    def output_shape(self, *input_shapes: Shape) -> Shape:
        for shape in input_shapes:
            takes(self, shape)
        if len(set(input_shapes)) != 1:
            shapes = " and ".join(map(str, input_shapes))
            raise SpecError(f"Add takes values of one shape, not {shapes}")
        return input_shapes[0]


JOINS: dict[str, type[Join]] = {"add": Add}  # by the names that native modules call them by


@dataclass(frozen=True, init=False)
class Residual(Composite):
    """``body(x) + shortcut(x)`` (arXiv 1512.03385); without a shortcut, ``body(x) + x``.

    Args:
        body: The spec of the main branch.
        shortcut: The spec of the other branch; None where the input itself is added.

    Shapes:
        input: that of both branches
        output: that of both branches, which must be the same

    The weights have ``body.`` or ``shortcut.`` in front: ``body.kernel``.

    Raises:
        SpecError: ``body`` or ``shortcut`` is not a spec, or more than 64 composites are nested.

    Example:
        >>> import convparity as cp
        >>> block = cp.Residual(cp.Conv(3, 8, 3, padding="same"), shortcut=cp.Conv(3, 8, 1))
        >>> cp.output_shape(block, (1, 7, 9, 3))
        (1, 7, 9, 8)
        >>> list(cp.parameter_shapes(block))
        ['body.kernel', 'body.bias', 'shortcut.kernel', 'shortcut.bias']
    """

    body: Spec
    shortcut: Spec | None

    def __init__(self, body: Spec, shortcut: Spec | None = None) -> None:
        set_fields(
            self,
            body=a_spec(self, "body", body),
            shortcut=None if shortcut is None else a_spec(self, "shortcut", shortcut),
        )
        check_extent(self)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """``body``, ``shortcut`` if there is one, and ``add``, their sum."""
        body = Step("body", self.body, (INPUT,), "body")
        if self.shortcut is None:
            return body, Step("add", Add(), ("body", INPUT), None)
        shortcut = Step("shortcut", self.shortcut, (INPUT,), "shortcut")
        return body, shortcut, Step("add", Add(), ("body", "shortcut"), None)

    def with_children(self, children: Mapping[str, Spec]) -> "Residual":
        return Residual(children["body"], children.get("shortcut"))
