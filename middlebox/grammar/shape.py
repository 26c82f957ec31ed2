"""Shapes: how a value of a policy file is written, what it becomes, and how it is described to an editor.

Each shape reads a node into a value and tells its JSON Schema; the words of policies are put together from these few.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from middlebox.ability import Ability
from middlebox.grammar.problem import Place, Problem, listed, near
from middlebox.grammar.source import Form, Node, Scalar, Sequence
from middlebox.grammar.source import Mapping as MappingNode

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


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record."""

    name: str
    shape: Shape[object]
    about: str
    attribute: str = ""  #: the argument of `Record.build` that takes it; "": the key's own name
    required: bool = False

    @property
    def argument(self) -> str:
        return self.attribute or self.name


def key(name: str, shape: Shape[T], about: str, attribute: str = "", *, required: bool = False) -> Key:
    """A key whose value goes to `build` as the argument of that name."""
    return Key(name, shape, about, attribute, required)


#: the words of every record, for whoever wrote one at the wrong place
_RECORDS: list[tuple[str, frozenset[str]]] = []


def _elsewhere(word: str) -> str:
    """Where in the grammar a word belongs, or ""."""
    found = list(dict.fromkeys(what for what, keys in _RECORDS if word in keys))
    return f"'{word}' is a word of {listed(found, 'and')}" if found else ""


class Record(Shape[T_co]):
    """A mapping with known keys; what is left out takes the default of `build`."""

    def __init__(
        self,
        what: str,
        keys: Iterable[Key],
        build: Callable[..., T_co],
        *,
        defaults: Mapping[str, object] | None = None,
        check: Callable[[dict[str, object], MappingNode, Context], None] | None = None,
    ) -> None:
        self.what = what
        self.keys = {one.name: one for one in keys}
        self.build = build
        self.defaults = _defaults(build) if defaults is None else dict(defaults)
        self.check = check
        _RECORDS.append((what, frozenset(self.keys)))
        self.expected = f"{what}, a mapping with keys such as {listed(list(self.keys)[:4], 'and')}"

    def read(self, node: Node, context: Context) -> T_co:
        values = self.values(node, context)
        return self.build(**values)

    def values(self, node: Node, context: Context) -> dict[str, object]:
        """The arguments for `build`."""
        if not isinstance(node, MappingNode):
            raise context.refuse(node.place, str(node), self.expected)
        good = self.known(node, context)
        values: dict[str, object] = {}
        for one in self.keys.values():  # in the grammar's order: what comes later may refer to what came before
            value = node.get(one.name)
            if value is None:
                if one.required:
                    context.refuse(node.place, f"{self.what} without '{one.name}'", f"'{one.name}: ...' ({one.about})")
                    good = False
                continue
            try:
                values[one.argument] = one.shape.read(value, context)
            except Refused:
                good = False
        if good and self.check is not None:
            self.check(values, node, context)
        if not good:
            raise Refused
        return values

    def known(self, node: MappingNode, context: Context) -> bool:
        """Refuse keys that do not belong here."""
        good = True
        for name, _ in node.pairs:
            if name.text not in self.keys:
                context.refuse(
                    name.place,
                    f"the key '{name.text}' in {self.what}",
                    listed(self.keys),
                    near(name.text, self.keys) or _elsewhere(name.text),
                )
                good = False
        return good

    def schema(self) -> Schema:
        properties: dict[str, object] = {}
        for one in self.keys.values():
            told: Schema = {"description": one.about, **one.shape.schema()}
            default = self.defaults.get(one.argument)
            if default is not None:
                shown = one.shape.text(default)
                if shown is not None:
                    told["default"] = shown
            properties[one.name] = told
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [one.name for one in self.keys.values() if one.required]
        if required:
            schema["required"] = required
        return schema


def _defaults(build: Callable[..., object]) -> dict[str, object]:
    """The defaults of a dataclass."""
    if not dataclasses.is_dataclass(build):
        return {}
    found: dict[str, object] = {}
    for one in dataclasses.fields(build):
        if one.default is not dataclasses.MISSING:
            found[one.name] = one.default
        elif one.default_factory is not dataclasses.MISSING:
            found[one.name] = one.default_factory()
    return found


class ListOf(Shape[tuple[T_co, ...]]):
    """A list of values of one shape; `alone`: a single value may stand without brackets."""

    def __init__(self, element: Shape[T_co], what: str, *, alone: bool = False, least: int = 1) -> None:
        self.element = element
        self.what = what
        self.alone = alone
        self.least = least
        self.expected = f"a list of {what}"

    def read(self, node: Node, context: Context) -> tuple[T_co, ...]:
        if not isinstance(node, Sequence):
            if self.alone:
                return (self.element.read(node, context),)
            hint = f"write it in brackets: [{node.text}]" if isinstance(node, Scalar) and node.text else ""
            raise context.refuse(node.place, str(node), self.expected, hint)
        if len(node.items) < self.least:
            raise context.refuse(node.place, str(node), f"at least one of {self.what}")
        values: list[T_co] = []
        good = True
        for item in node.items:
            try:
                values.append(self.element.read(item, context))
            except Refused:
                good = False
        if not good:
            raise Refused
        return tuple(values)

    def schema(self) -> Schema:
        many: Schema = {"type": "array", "items": self.element.schema()}
        if self.least:
            many["minItems"] = self.least
        return {"anyOf": [self.element.schema(), many]} if self.alone else many


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


class Table(Shape[dict[str, T_co]]):
    """Named values: the keys are the user's own words."""

    def __init__(self, what: str, shape: Shape[T_co], name: Callable[[str, T_co], T_co] | None = None) -> None:
        self.what = what
        self.shape = shape
        self.expected = f"{what}, each under a name of its own"
        self._name = name

    def read(self, node: Node, context: Context) -> dict[str, T_co]:
        if not isinstance(node, MappingNode):
            raise context.refuse(node.place, str(node), self.expected)
        values: dict[str, T_co] = {}
        good = True
        for word, value in node.pairs:
            try:
                NAME.read(word, context)
                made = self.shape.read(value, context)
                values[word.text] = self._name(word.text, made) if self._name else made
            except Refused:
                good = False
        if not good:
            raise Refused
        return values

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": {"pattern": NAME_PATTERN},
            "additionalProperties": self.shape.schema(),
        }


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
