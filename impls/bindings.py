"""One row a layer: a spec's class beside a framework's, and what each calls the same thing.

A framework's ``bindings.py`` is a table of such rows, which lie in its ``rows/``, one file a family
of ``impls/spec``. The table is read in both directions: to make a native layer of a spec, to say
the spec of a native layer, and to find the weights that it holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from convparity.impls.adapter import Slot
from convparity.impls.errors import UnsupportedError, quoted
from convparity.impls.layouts import SAME, Layout
from convparity.impls.spec import Spec


class Field(NamedTuple):
    """A field of a spec, as a native class has it.

    ``argument`` is its name in the constructor, None where that does not take it; ``attribute`` is
    where the made layer keeps it (a dotted path, or what reads it there), the argument's name
    unless it is given; the two functions turn its value into the other's.
    """

    argument: str | None
    attribute: str | Callable[[Any], Any] | None = None
    to_native: Callable[[Any], Any] | None = None
    to_spec: Callable[[Any], Any] | None = None

    def value(self, spec_value: Any) -> Any:
        """What the constructor is given."""
        return spec_value if self.to_native is None else self.to_native(spec_value)

    def read(self, module: Any) -> Any:
        """What the spec is given."""
        where = self.argument if self.attribute is None else self.attribute
        found = where(module) if callable(where) else attrgetter(str(where))(module)
        return found if self.to_spec is None else self.to_spec(found)


class Weight(NamedTuple):
    """Where a native layer keeps a canonical weight.

    ``layout`` may be what makes it of the layer; ``when`` is the boolean field of the spec without
    which there is no such weight; ``initializer`` is the attribute of what sets its first value,
    where a framework has one under a name of its own.
    """

    attribute: str
    layout: Layout | Callable[[Any], Layout] = SAME
    when: str | None = None
    initializer: str | None = None


Fields = Mapping[str, str | Field]  # a name alone is that of the argument and of the attribute

# Where a framework's momentum is the weight of the old statistics: a spec's is that of the new
# ones. 1 - (1 - p) is not p in binary: ten digits bring back what was meant.
OF_THE_OLD = Field("momentum", None, lambda p: 1 - p, lambda m: round(1 - m, 10))


def same(*names: str) -> dict[str, str | Field]:
    """Fields that a framework and the spec call the same."""
    return {name: name for name in names}


def shown(value: object) -> str:
    """A value as an error may show it: a function by its name."""
    return quoted(getattr(value, "__name__", value))


def unreadable(framework: str, what: str, why: str) -> UnsupportedError:
    """The error for a native layer, or a function, that no spec says."""
    return UnsupportedError(f"{framework}: {what} cannot be read as a spec: {why}")


@dataclass(frozen=True)
class Row:
    """One class of a spec and the native class, or the three of its ranks, that means the same.

    ``says`` are fields of the spec that the class alone stands for, where no field reads another;
    ``gives`` are arguments that are always the same, ``needs`` attributes with the only value that
    a spec can say, and ``check`` raises where more than these is out of order. A class in ``also``
    is read by this row, too.
    Of several rows that fit a spec the first is made.
    """

    spec: type[Spec]
    native: type | tuple[type, ...]
    fields: Fields = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    says: Mapping[str, Any] = field(default_factory=dict)
    gives: Mapping[str, Any] = field(default_factory=dict)
    needs: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None
    also: tuple[type | tuple[type, ...], ...] = ()
    takes: tuple[str, ...] = ()  # further arguments of the constructor that ``make`` is given

    @cached_property
    def ranks(self) -> dict[type, int | None]:
        """Every class that this row reads, and its rank where it has one."""
        found: dict[type, int | None] = {}
        for each in (self.native, *self.also):
            if isinstance(each, type):
                found[each] = None
            else:
                found |= {kind: rank for rank, kind in enumerate(each, 1)}
        return found

    @cached_property
    def named(self) -> dict[str, Field]:
        """The fields, each with its names."""
        return {
            name: Field(each) if isinstance(each, str) else each
            for name, each in self.fields.items()
        }

    def fits(self, spec: Spec) -> bool:
        """Whether this row can say ``spec``."""
        return type(spec) is self.spec and all(
            getattr(spec, name) == value for name, value in self.says.items()
        )

    def make(self, spec: Any, **common: Any) -> Any:
        """The native layer of ``spec``."""
        kind = self.native if isinstance(self.native, type) else self.native[spec.rank - 1]
        arguments = {
            each.argument: each.value(getattr(spec, name))
            for name, each in self.named.items()
            if each.argument is not None
        }
        more = {name: common[name] for name in self.takes}
        return kind(**arguments, **self.gives, **more)

    def unmet(self, module: Any) -> tuple[str, Any] | None:
        """An attribute of ``module`` that is not what this row needs, and what it is."""
        for name, needed in self.needs.items():
            if (found := getattr(module, name, needed)) != needed:
                return name, found
        return None

    def read(self, module: Any) -> Spec:
        """The spec of ``module``, which has what this row needs."""
        if self.check is not None:
            self.check(module)
        values = {name: each.read(module) for name, each in self.named.items()}
        found = (self.ranks[each] for each in type(module).__mro__ if each in self.ranks)
        if (rank := next(found, None)) is not None:
            values["rank"] = rank
        return self.spec(**{**self.says, **values})

    def slots(self, module: Any, held: Callable[[Any, str], Any]) -> dict[str, Slot]:
        """The weights of ``module``, each where ``held(module, attribute)`` finds it."""
        return {
            name: Slot(
                held(module, each.attribute),
                each.layout if isinstance(each.layout, Layout) else each.layout(module),
            )
            for name, each in self.weights.items()
            if each.when is None or self.named[each.when].read(module)
        }


class Table:
    """The rows of one framework.

    ``said`` is how an error names a native layer, ``held`` finds the variable in an attribute.
    """

    def __init__(
        self,
        framework: str,
        rows: Iterable[Row],
        said: Callable[[Any], str],
        held: Callable[[Any, str], Any] = getattr,
    ) -> None:
        self.framework, self.rows, self.said, self.held = framework, tuple(rows), said, held
        self.readers: dict[type, tuple[Row, ...]] = {}
        for row in self.rows:
            for kind in row.ranks:
                self.readers[kind] = (*self.readers.get(kind, ()), row)

    def make(self, spec: Spec, **common: Any) -> Any:
        """The native layer of ``spec``; ``common`` is what layers take that no spec says."""
        for row in self.rows:
            if row.fits(spec):
                return row.make(spec, **common)
        function = getattr(spec, "function", None)
        what = type(spec).__name__ if function is None else f"the activation {function!r}"
        raise UnsupportedError(f"{self.framework}: {what} is not built yet")

    def refused(self, module: Any, why: str) -> UnsupportedError:
        """The error for a native layer that no spec says."""
        return unreadable(self.framework, self.said(module), why)

    def read(self, module: Any, rows: Sequence[Row]) -> Spec:
        """The spec of a native layer, by the first of its rows of which it has all needs."""
        unmet = [row.unmet(module) for row in rows]
        for row, needed in zip(rows, unmet, strict=True):
            if needed is None:
                return row.read(module)
        name, found = next(each for each in unmet if each is not None)
        values = {shown(row.needs[name]): None for row in rows if name in row.needs}
        raise self.refused(module, f"it needs {name}={' or '.join(values)}, not {shown(found)}")

    def rows_of(self, module: Any) -> tuple[Row, ...]:
        """The rows of the nearest class that ``module`` inherits; none of what has no row."""
        kind = next((each for each in type(module).__mro__ if each in self.readers), None)
        return () if kind is None else self.readers[kind]

    def slots(self, module: Any) -> dict[str, Slot]:
        """The canonical weights that a native layer holds itself, by the row that reads it."""
        rows = self.rows_of(module)
        fitting = (row for row in rows if row.unmet(module) is None)
        row = next(fitting, rows[0] if rows else None)
        return {} if row is None else row.slots(module, self.held)
