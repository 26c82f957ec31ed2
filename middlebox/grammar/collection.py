"""Shapes made of other shapes: records with known keys, lists, tables under names of the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import NAME, NAME_PATTERN, Context, Refused, Schema, Shape
from middlebox.grammar.source import Mapping as MappingNode
from middlebox.grammar.source import Node, Scalar, Sequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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
        of_policies: bool = True,
    ) -> None:
        self.what = what
        self.keys = {one.name: one for one in keys}
        self.build = build
        self.defaults = _defaults(build) if defaults is None else dict(defaults)
        self.check = check
        if of_policies:  # other files' words are no suggestion to whoever writes a policy
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
            before = len(context.problems)
            self.check(values, node, context)
            good = len(context.problems) == before
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
