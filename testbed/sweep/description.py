"""How a sweep is written: a YAML file with known keys, or the words of a command line; both read by the same shapes.

A wrong one is refused with file, line, what was found, what was expected and what to write instead. Whether policies
and backends agree to it is asked by `planning`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from middlebox.grammar.collection import ListOf, Record, key
from middlebox.grammar.problem import LoadError, Place, Problem
from middlebox.grammar.shape import NAME, TEXT, Context, Leaf, Mismatch, Refused, Schema, Shape, words
from middlebox.grammar.source import Mapping, Node, Scalar, Sequence, parse
from middlebox.grammar.units import integer
from testbed.sweep.backends import BACKENDS
from testbed.sweep.values import Parameter, Span

_EXPECTED = "a sweep: name, backend, policies, parameters, seeds"
_NUMBER = r"(-?\d{1,15}(?:\.\d{1,15})?)"
_SPAN = re.compile(rf"{_NUMBER}\s*(\D\S*?)?\s*\.\.\s*{_NUMBER}\s*(\D\S*?)?(\s+log)?")
_SEEDS = re.compile(r"(\d{1,15})(?:\s*-\s*(\d{1,15}))?")
#: draws of a Latin hypercube: what takes longer than a lifetime is a slip
_MOST_DRAWS = 100_000_000


def _values(text: str) -> tuple[str, ...] | Span:
    """Values between commas, or a span of them; raises `Mismatch`."""
    if ".." in text:
        return span(text)
    return _distinct([part.strip() for part in text.split(",")])


def _distinct(values: list[str]) -> tuple[str, ...]:
    for value in values:
        if not value:
            raise Mismatch("there is an empty value between two commas")
        if values.count(value) > 1:
            raise Mismatch(f"'{value}' stands there twice")
    return tuple(values)


def span(text: str) -> Span:
    """ "64..1024 kbit/s log"; raises `Mismatch`."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise Mismatch("write it like: 64..1024 kbit/s log")
    low, first, high, second, log = found.groups()
    if first and first != second:
        raise Mismatch("both ends in one unit, like: 64..1024 kbit/s")
    one = Span(float(low), float(high), second or "", bool(log), "." in low + high)
    if one.low >= one.high:
        raise Mismatch(f"the span is empty; write: {high}..{low} {second or ''}".rstrip())
    if one.logarithmic and one.low <= 0:
        raise Mismatch("a logarithmic span begins above 0")
    return one


def seeds(text: str) -> tuple[range, ...]:
    """ "1-20,30"; raises `Mismatch`."""
    found: list[range] = []
    for part in text.split(","):
        match = _SEEDS.fullmatch(part.strip())
        if not match:
            raise Mismatch("write it like: 1-20,30")
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if last < first:
            raise Mismatch(f"the range is empty; write: {last}-{first}")
        if any(first < one.stop and one.start <= last for one in found):
            raise Mismatch("a seed stands there twice")
        found.append(range(first, last + 1))
    return tuple(found)


def _design(text: str) -> int:
    """The draws of "lhs:200"; 0 for "grid"; raises `Mismatch`."""
    if text == "grid":
        return 0
    found = re.fullmatch(r"lhs:\s*(\d{1,9})", text)
    if not found:
        raise Mismatch("how many draws? write it like: lhs:200" if text.startswith("lhs") else "")
    if not 1 <= int(found.group(1)) <= _MOST_DRAWS:
        raise Mismatch(f"from 1 to {_MOST_DRAWS:,} draws")
    return int(found.group(1))


VALUES: Leaf[tuple[str, ...] | Span] = Leaf(
    "values between commas, or a span such as '64..1024 kbit/s'", lambda node: _values(node.text), {"type": "string"}
)
SEEDS: Leaf[tuple[range, ...]] = Leaf(
    "seeds such as '1-20' or '1,5,9'",
    lambda node: seeds(node.text),
    {"type": ["integer", "string"], "pattern": r"^\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*$"},
)
DESIGN: Leaf[int] = Leaf(
    "grid, or a Latin hypercube such as 'lhs:200'",
    lambda node: _design(node.text),
    {"type": "string", "pattern": r"^(grid|lhs:\d+)$"},
)
_TEXTS = ListOf(TEXT, "texts")


class _Varied(Shape[tuple[Parameter, ...]]):
    """`parameters:` a path into the policy or a setting of the backend, and its values."""

    expected = "parameters, each with its values: 'rules.0.chance: [10 %, 50 %]'"

    def read(self, node: Node, context: Context) -> tuple[Parameter, ...]:
        if not isinstance(node, Mapping):
            raise context.refuse(node.place, str(node), self.expected)
        found: list[Parameter] = []
        good = True
        for name, value in node.pairs:
            try:
                found.append(Parameter(name.text, self._values(value, context)))
            except Refused:
                good = False
        if not good:
            raise Refused
        return tuple(found)

    def _values(self, node: Node, context: Context) -> tuple[str, ...] | Span:
        if not isinstance(node, Sequence):  # alone: one value, or a span
            text = TEXT.read(node, context)
            try:
                return span(text) if ".." in text else (text,)
            except Mismatch as error:
                raise context.refuse(node.place, str(node), "a span such as '64..1024 kbit/s'", str(error)) from None
        try:
            return _distinct(list(_TEXTS.read(node, context)))
        except Mismatch as error:
            raise context.refuse(node.place, str(node), "each value once", str(error)) from None

    def schema(self) -> Schema:
        one: Schema = {"type": ["string", "number", "boolean"]}
        return {"type": "object", "additionalProperties": {"anyOf": [one, {"type": "array", "items": one}]}}


DOCUMENT: Record[dict[str, object]] = Record(
    "a sweep",
    (
        key("name", NAME, "the sweep's name"),
        key("about", TEXT, "one sentence"),
        key("backend", words({name: name for name in BACKENDS}), "who runs the cells"),
        key("scenario", TEXT, "the scenario, for backends that run one"),
        key("policies", ListOf(TEXT, "policies", alone=True), "shipped policies or files, relative to this one"),
        key("tools", ListOf(TEXT, "tools", alone=True), "targets through these; 'none': without a tool"),
        key("workloads", ListOf(TEXT, "workloads", alone=True), "only these"),
        key("captures", ListOf(TEXT, "captures", alone=True), "files of packets, in place of a workload"),
        key("parameters", _Varied(), "what is varied in the policies, and settings"),
        key("seeds", SEEDS, "every cell once with each"),
        key("design", DESIGN, "all of the grid of parameters, or so many draws", "draws"),
        key("design-seed", integer(0), "of the draws", "design_seed"),
    ),
    dict,
    of_policies=False,
)


def read(path: Path) -> dict[str, object]:
    """What a file says, by the keys' arguments; raises `LoadError`."""
    shown = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        found = f"bytes that are not UTF-8 (at byte {error.start})"
        raise LoadError([Problem(place=Place(shown), found=found, expected=_EXPECTED)]) from None
    except OSError as error:
        found = f"a file that cannot be read: {error.strerror}"
        raise LoadError([Problem(place=Place(shown), found=found, expected=_EXPECTED)]) from None
    root = parse(text, shown, _EXPECTED)
    context = Context(folder=path.parent, lines={shown: text.splitlines()})
    try:
        values = DOCUMENT.values(root, context)
    except Refused:
        raise LoadError(sorted(context.problems, key=lambda one: (one.line, one.column))) from None
    for name in ("policies", "captures"):  # a file is named relative to the one that names it
        if name in values:
            values[name] = tuple(_beside(path.parent, one) for one in _as_texts(values[name]))
    return values


def word(option: str, leaf: Leaf[object], text: str) -> object:
    """What a word of the command line means; raises `ValueError`."""
    try:
        return leaf.parse(Scalar(Place(option), text))
    except Mismatch as error:
        hint = f"; {error}" if str(error) else ""
        raise ValueError(f"{option}: found '{text}'; expected {leaf.expected}{hint}") from None


def setting(text: str) -> Parameter:
    """ "NAME=1,2,3" or "NAME=64..1024 kbit/s"; raises `ValueError`."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"'--set {text}': expected NAME=VALUE,VALUE such as --set rules.0.chance='10 %,50 %'")
    found = word(f"'--set {text}'", VALUES, values)
    assert isinstance(found, tuple | Span)
    return Parameter(name.strip(), found)


def _as_texts(value: object) -> Iterable[str]:
    assert isinstance(value, tuple)
    return map(str, value)


def _beside(folder: Path, name: str) -> str:
    path = folder / name
    return str(path) if path.is_file() else name
