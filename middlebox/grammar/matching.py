"""The words of `match:`: fields, operators, and all, any, not. They become the expression of `match`.

Which fields there are is said by `fields`; the type of a field decides which operators it takes.
"""

from __future__ import annotations

from middlebox import fields
from middlebox.dissect.base import Kind
from middlebox.grammar.operators import ABOUT, OPERATORS, READ
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import TRUTH, Context, Refused, Schema, Shape
from middlebox.grammar.source import Mapping, Node, Scalar, Sequence
from middlebox.match import (
    All,
    AnyOf,
    Match,
    Not,
    Test,
)

_JOINTS = ("all", "any", "not")


class MatchShape(Shape[Match]):
    """A question: fields and joints; several of them must all hold."""

    expected = "a question such as {tls.sni: {under: banned}}, or {} for every packet"

    def read(self, node: Node, context: Context) -> Match:
        if not isinstance(node, Mapping):
            raise context.refuse(node.place, str(node), self.expected)
        parts: list[Match] = []
        good = True
        for word, value in node.pairs:
            try:
                parts.append(self._part(word, value, context))
            except Refused:
                good = False
        if not good:
            raise Refused
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, word: Scalar, value: Node, context: Context) -> Match:
        if word.text == "not":
            return Not(self.read(value, context))
        if word.text in ("all", "any"):
            if not isinstance(value, Sequence) or not value.items:
                raise context.refuse(value.place, str(value), f"a list of questions under '{word.text}'")
            parts: list[Match] = []
            good = True
            for item in value.items:
                try:
                    parts.append(self.read(item, context))
                except Refused:
                    good = False
            if not good:
                raise Refused
            return All(tuple(parts)) if word.text == "all" else AnyOf(tuple(parts))
        if word.text not in fields.NAMES:
            raise context.refuse(
                word.place,
                f"'{word.text}', which is no field",
                "a field such as tls.sni, http.host, dns.name, server.ip; or all, any, not",
                _near_field(word.text),
            )
        return self._field(word.text, value, context)

    def _field(self, field: str, value: Node, context: Context) -> Match:
        kind = fields.kind_of(field)
        if not isinstance(value, Mapping):
            return Test(field, READ["is"](field, kind, value, context))
        allowed = OPERATORS[kind]
        if not value.pairs:
            raise context.refuse(value.place, str(value), f"an operator for '{field}': {listed(allowed)}")
        parts: list[Match] = []
        good = True
        for word, operand in value.pairs:
            if word.text not in allowed:
                known = f"{listed(allowed)} for '{field}'"
                hint = near(word.text, allowed)
                if word.text == "under" and kind is Kind.ADDRESS:
                    hint = "did you mean 'in'?"
                context.refuse(word.place, f"the operator '{word.text}'", known, hint)
                good = False
                continue
            try:
                parts.append(Test(field, READ[word.text](field, kind, operand, context)))
            except Refused:
                good = False
        if not good:
            raise Refused
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/match"}


def _near_field(word: str) -> str:
    """A field that looks alike, or whose last part is this word."""
    tail = word.rpartition(".")[2]
    same = [name for name in fields.NAMES if name.rpartition(".")[2] == tail]
    if "." not in word and same:
        return f"did you mean {listed(repr(name) for name in same[:4])}?"
    return near(word, [*fields.NAMES, *_JOINTS])


MATCH = MatchShape()


def match_schema() -> Schema:
    """The definition that `MATCH` refers to."""
    properties: dict[str, object] = {
        "all": {"description": "all of these hold", "type": "array", "minItems": 1, "items": MATCH.schema()},
        "any": {"description": "at least one of these holds", "type": "array", "minItems": 1, "items": MATCH.schema()},
        "not": {"description": "this does not hold", **MATCH.schema()},
    }
    for name in fields.NAMES:
        properties[name] = _field_schema(name)
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _field_schema(name: str) -> Schema:
    kind = fields.kind_of(name)
    value = _value_schema(name, kind)
    operand: dict[str, Schema] = {
        "is": value,
        "present": TRUTH.schema(),
        "regex": {"type": "string", "format": "regex"},
        "under": value,
        "contains": value,
        "in": _one_or_many({"type": ["string", "integer"]}),
        "above": {"type": "integer", "minimum": 0},
        "below": {"type": "integer", "minimum": 1},
    }
    operators = {word: {"description": ABOUT[word], **operand[word]} for word in OPERATORS[kind]}
    asked: Schema = {"type": "object", "minProperties": 1, "properties": operators, "additionalProperties": False}
    return {"description": fields.about(name), "anyOf": [value, asked]}


def _one_or_many(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "array", "minItems": 1, "items": one}]}


def _value_schema(name: str, kind: Kind) -> Schema:
    if kind is Kind.FLAG:
        return TRUTH.schema()
    if kind in (Kind.NUMBER, Kind.NUMBERS):
        # a number, in hexadecimal too, or the name of a list
        return _one_or_many({"type": ["integer", "string"], "pattern": "^(0x[0-9A-Fa-f]+|[a-z0-9-]*[a-z][a-z0-9-]*)$"})
    return _one_or_many({"type": ["string", "number"]})
