"""What is known of a value without running anything: which members it may have, and what those are.

A member that may be there counts as one that is: what is looked for are names that no value can have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.model import ListShape, MapShape
from botocore.model import Shape as BotocoreShape


class Shape:
    """A value of which nothing is known: it may have every member."""

    def member(self, name: str) -> Shape | None:
        """What lies under a name; None if nothing can."""
        return self

    def element(self) -> Shape:
        """An element of a list; a value that is no list is its own only element, as in JSONata."""
        return self

    def values(self) -> Shape:
        """Any of the values in an object."""
        return ANYTHING

    def __str__(self) -> str:
        return "a value"


ANYTHING = Shape()


class Scalar(Shape):
    """A text, a number, true, false or null."""

    def member(self, name: str) -> Shape | None:
        return None

    def __str__(self) -> str:
        return "a text or number"


SCALAR = Scalar()


@dataclass
class Constant(Scalar):
    """A scalar whose value is written in the source."""

    value: Any


@dataclass
class Listed(Shape):
    """A list of which all elements are alike."""

    of: Shape

    def member(self, name: str) -> Shape | None:
        found = self.of.member(name)
        return None if found is None else Listed(found)

    def element(self) -> Shape:
        return self.of

    def __str__(self) -> str:
        return f"elements of a list: {self.of}"


@dataclass
class Fixed(Shape):
    """A list whose elements are known one by one."""

    parts: list[Shape]

    def member(self, name: str) -> Shape | None:
        return self.element().member(name)

    def element(self) -> Shape:
        return either(self.parts)


@dataclass
class Made(Shape):
    """An object with exactly these members."""

    members: dict[str, Shape] = field(default_factory=dict)

    def member(self, name: str) -> Shape | None:
        return self.members.get(name)

    def values(self) -> Shape:
        return either(self.members.values())

    def __str__(self) -> str:
        return f"an object with {', '.join(self.members) or 'nothing'}"


@dataclass
class Either(Shape):
    """One of several."""

    of: list[Shape]

    def member(self, name: str) -> Shape | None:
        found = [inner for shape in self.of if (inner := shape.member(name)) is not None]
        return either(found) if found else None

    def element(self) -> Shape:
        return either(shape.element() for shape in self.of)

    def values(self) -> Shape:
        return either(shape.values() for shape in self.of)

    def __str__(self) -> str:
        return " or ".join(sorted({str(shape) for shape in self.of})) or "nothing"


def either(shapes: Iterable[Shape]) -> Shape:
    """One of these, whichever."""
    flat: list[Shape] = []
    for shape in shapes:
        flat += shape.of if isinstance(shape, Either) else [shape]
    return flat[0] if len(flat) == 1 else Either(flat)


def seen(values: Iterable[Any]) -> Shape:
    """What values of an execution show: an object has the members that any of them had."""
    shapes: list[Shape] = []
    objects: dict[str, list[Any]] = {}
    elements: list[Any] = []
    kinds = set()
    for value in values:
        kinds.add(type(value))
        if isinstance(value, dict):
            for key, inner in value.items():
                objects.setdefault(key, []).append(inner)
        elif isinstance(value, list):
            elements += value
    if dict in kinds:
        shapes.append(Made({key: seen(inner) for key, inner in objects.items()}))
    if list in kinds:
        shapes.append(Listed(seen(elements)))
    if kinds - {dict, list}:
        shapes.append(SCALAR)
    return either(shapes)


def members(shape: BotocoreShape | None) -> dict[str, BotocoreShape]:
    """A structure's members; of any other shape, and of an operation without an answer, none."""
    return getattr(shape, "members", {})


@dataclass
class Modelled(Shape):
    """What botocore's model says of a request or an answer. `spelled` writes a member's name as the reader sees it."""

    shape: BotocoreShape
    spelled: Callable[[str], str] = str

    def member(self, name: str) -> Shape | None:
        if self.shape.type_name == "list":
            return Listed(self.element()).member(name)
        if self.shape.type_name == "map":
            return self.values()
        for own, shape in members(self.shape).items():
            if self.spelled(own) == name:
                return Modelled(shape, self.spelled)
        return None

    def element(self) -> Shape:
        return Modelled(self.shape.member, self.spelled) if isinstance(self.shape, ListShape) else self

    def values(self) -> Shape:
        if isinstance(self.shape, MapShape):
            return Modelled(self.shape.value, self.spelled)
        return either(Modelled(shape, self.spelled) for shape in members(self.shape).values())

    def __str__(self) -> str:
        return self.shape.name
