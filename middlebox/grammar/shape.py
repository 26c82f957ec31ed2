"""Shapes: how a value of a policy file is written, what it becomes, and how it is described to an editor.

Each shape reads a node into a value and tells its JSON Schema; the words of policies are put together from these few.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from middlebox.ability import Ability
from middlebox.grammar.problem import Place, Problem, listed, near
from middlebox.grammar.source import Form, Node, Scalar, Sequence

if TYPE_CHECKING:
    from middlebox.grammar.entries import Entries

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Schema = dict[str, object]


class Refused(Exception):
    """A value could not be read; the context holds the problem. Never leaves this package."""


class Mismatch(ValueError):
    """A scalar is not what its shape is for; the text is a suggestion, or ""."""


@dataclass(slots=True)
class Context:
    """What is known while one file is read."""

    folder: Path  #: list files are named relative to it
    lines: dict[str, list[str]] = field(default_factory=dict)  #: file -> its lines, for excerpts
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    lists: dict[str, Entries] = field(default_factory=dict)
    broken_lists: set[str] = field(default_factory=set)  #: lists with problems of their own
    injectors_used: set[str] = field(default_factory=set)
    ability: Ability = field(default_factory=Ability)
    box_known: bool = True  #: False: the box has problems of its own, so nothing is concluded from it

    def _problem(self, place: Place, found: str, expected: str, suggestion: str) -> Problem:
        lines = self.lines.get(place.file, [])
        excerpt = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        return Problem(place=place, found=found, expected=expected, suggestion=suggestion, excerpt=excerpt)

    def refuse(self, place: Place, found: str, expected: str, suggestion: str = "") -> Refused:
        """Note a problem; the caller raises what comes back, or goes on to find more."""
        self.problems.append(self._problem(place, found, expected, suggestion))
        return Refused()

    def warn(self, place: Place, found: str, expected: str, suggestion: str = "") -> None:
        self.warnings.append(self._problem(place, found, expected, suggestion))


class Shape(ABC, Generic[T_co]):
    """How one kind of value is written."""

    #: what to write, for a message: "true or false"
    expected: str

    @abstractmethod
    def read(self, node: Node, context: Context) -> T_co:
        """The value; raises `Refused` after the context was told why."""

    @abstractmethod
    def schema(self) -> Schema:
        """The shape as JSON Schema, as far as that can tell."""

    def text(self, value: object) -> object:
        """The value as it is written in a file, for a default that is shown; None if it has no short text."""
        return None


class Leaf(Shape[T_co]):
    """A scalar: a word, number or text."""

    def __init__(
        self, expected: str, parse: Callable[[Scalar], T_co], schema: Schema, text: Callable[..., object] | None = None
    ) -> None:
        self.expected = expected
        self.parse = parse
        self._schema = schema
        self._text = text

    def read(self, node: Node, context: Context) -> T_co:
        if not isinstance(node, Scalar):
            raise context.refuse(node.place, str(node), self.expected)
        try:
            return self.parse(node)
        except Mismatch as error:
            raise context.refuse(node.place, str(node), self.expected, str(error)) from None

    def schema(self) -> Schema:
        return dict(self._schema)

    def text(self, value: object) -> object:
        return self._text(value) if self._text else None


def words(choices: Mapping[str, T]) -> Leaf[T]:
    """One word of a closed set."""

    def parse(node: Scalar) -> T:
        if node.text in choices:
            return choices[node.text]
        raise Mismatch(near(node.text, choices))

    back = {value: word for word, value in choices.items()}
    return Leaf(listed(choices), parse, {"enum": list(choices)}, back.get)


def _truth(node: Scalar) -> bool:
    if node.form is Form.TRUTH and not node.quoted and node.text in ("true", "false"):
        return node.text == "true"
    word = node.text.lower()
    hint = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(word)
    raise Mismatch(f"write: {hint}" + (", without quotes" if node.quoted else "") if hint else "")


TRUTH: Leaf[bool] = Leaf("true or false", _truth, {"type": "boolean"}, bool)


def _text(node: Scalar) -> str:
    if not node.text and not node.quoted:
        raise Mismatch("")
    return node.text


TEXT: Leaf[str] = Leaf("a text", _text, {"type": ["string", "number", "boolean"]}, str)


class Become(Shape[T_co]):
    """A shape whose value is turned into another; what that raises as `Mismatch` is told at the value."""

    def __init__(
        self, shape: Shape[object], make: Callable[..., T_co], text: Callable[..., object] | None = None
    ) -> None:
        self.shape = shape
        self.expected = shape.expected
        self._make = make
        self._text = text

    def read(self, node: Node, context: Context) -> T_co:
        value = self.shape.read(node, context)
        try:
            return self._make(value)
        except Mismatch as error:
            raise context.refuse(node.place, str(node), self.expected, str(error)) from None

    def schema(self) -> Schema:
        return self.shape.schema()

    def text(self, value: object) -> object:
        return self._text(value) if self._text else None


def become(shape: Shape[object], make: Callable[..., T], text: Callable[..., object] | None = None) -> Become[T]:
    """The shape of what `make` makes of another shape's value."""
    return Become(shape, make, text)


class Forms(Shape[T_co]):
    """A value that may be written in several forms: as a scalar, as a mapping, as a list."""

    def __init__(
        self,
        *,
        scalar: Shape[T_co] | None = None,
        mapping: Shape[T_co] | None = None,
        sequence: Shape[T_co] | None = None,
    ) -> None:
        self.scalar = scalar
        self.mapping = mapping
        self.sequence = sequence
        self._forms = [form for form in (scalar, mapping, sequence) if form is not None]
        self.expected = "; or ".join(form.expected for form in self._forms)

    def read(self, node: Node, context: Context) -> T_co:
        shape = self.scalar if isinstance(node, Scalar) else self.mapping
        if isinstance(node, Sequence):
            shape = self.sequence
        if shape is None:
            raise context.refuse(node.place, str(node), self.expected)
        return shape.read(node, context)

    def schema(self) -> Schema:
        return {"anyOf": [form.schema() for form in self._forms]}

    def text(self, value: object) -> object:
        return self.scalar.text(value) if self.scalar else None


NAME_PATTERN = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


def _name(node: Scalar) -> str:
    import re

    if re.fullmatch(NAME_PATTERN, node.text):
        return node.text
    better = re.sub("[^a-z0-9]+", "-", node.text.lower()).strip("-")
    raise Mismatch(f"write: {better}" if better else "")


NAME: Leaf[str] = Leaf(
    "a name of small letters, digits and hyphens", _name, {"type": ["string", "integer"], "pattern": NAME_PATTERN}, str
)
