"""A YAML 1.2 document as nodes that know their line and column.

It knows YAML and nothing of policies: no key is checked here, except that none may stand twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from middlebox.grammar.problem import LoadError, Place, Problem

#: nodes in one document, aliases counted at each use: far above any policy (long lists stand in list files), and it
#: ends documents whose aliases multiply
MAX_NODES = 250_000
MAX_DEPTH = 60


class Form(Enum):
    """What YAML takes a scalar for."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TRUTH = "truth"
    NOTHING = "nothing"


_CORE = "tag:yaml.org,2002:"
#: what YAML may take a plain scalar for; dates, merge keys and "=" are mere text here
_KNOWN = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
_FORMS = {"int": Form.INTEGER, "float": Form.DECIMAL, "bool": Form.TRUTH, "null": Form.NOTHING}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word, number or text, as it was written (without quotes)."""

    place: Place
    text: str
    form: Form = Form.TEXT
    quoted: bool = False

    def __str__(self) -> str:
        if self.form is Form.NOTHING and not self.quoted:
            return "nothing"
        text = " ".join(self.text.splitlines())
        return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]

    def __str__(self) -> str:
        return "an empty list" if not self.items else f"a list of {len(self.items)}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order of the file."""

    place: Place
    pairs: tuple[tuple[Scalar, Node], ...]

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.pairs if name.text == key), None)

    def __str__(self) -> str:
        if not self.pairs:
            return "an empty mapping"
        return f"a mapping with {'key' if len(self.pairs) == 1 else 'keys'} " + ", ".join(
            f"'{key.text}'" for key, _ in self.pairs[:4]
        )


Node = Scalar | Sequence | Mapping


class _Building:
    """One document being turned into nodes."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.lines = lines
        self.count = 0
        self.problems: list[Problem] = []

    def refuse(self, place: Place, found: str, expected: str, suggestion: str = "") -> None:
        self.problems.append(
            Problem(
                place=place,
                found=found,
                expected=expected,
                suggestion=suggestion,
                excerpt=self.lines[place.line - 1] if 0 < place.line <= len(self.lines) else "",
            )
        )

    def build(self, node: object, depth: int = 0) -> Node:
        mark = node.start_mark  # type: ignore[attr-defined]
        place = Place(self.file, mark.line + 1, mark.column + 1)
        self.count += 1
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            what = f"more than {MAX_NODES:,} values" if self.count > MAX_NODES else "values nested without end"
            self.refuse(place, what, "a policy", "is there an alias (*name) that contains or multiplies itself?")
            raise LoadError(self.problems)
        if isinstance(node, ScalarNode):
            tag = str(node.tag or "")
            if any("\ud800" <= letter <= "\udfff" for letter in node.value):
                self.refuse(place, "half a character (a surrogate)", "text", "write the character itself")
            form = _FORMS.get(tag.removeprefix(_CORE), Form.TEXT)
            if tag and tag.removeprefix(_CORE) not in _KNOWN:
                self.refuse(place, f"the tag '{tag.removeprefix(_CORE)}'", "a plain value", "leave the tag out")
            return Scalar(place, node.value, form, node.style in ("'", '"', "|", ">"))
        if isinstance(node, SequenceNode):
            return Sequence(place, tuple(self.build(item, depth + 1) for item in node.value))
        assert isinstance(node, MappingNode)
        pairs: list[tuple[Scalar, Node]] = []
        seen: dict[str, Scalar] = {}
        for raw_key, raw_value in node.value:
            key = self.build(raw_key, depth + 1)
            if not isinstance(key, Scalar):
                self.refuse(key.place, f"{key} as a key", "a word")
                continue
            if key.text in seen:
                first = seen[key.text].place.line
                self.refuse(
                    key.place,
                    f"the key '{key.text}' for the second time",
                    f"each key once (the first is in line {first})",
                )
                continue
            seen[key.text] = key
            pairs.append((key, self.build(raw_value, depth + 1)))
        return Mapping(place, tuple(pairs))


def parse(text: str, file: str, expected: str = "a policy: name, about, box, lists, rules") -> Node:
    """Read one document; raises `LoadError` for what is not YAML, or has a key twice, or is empty (not `expected`)."""
    lines = text.splitlines()
    building = _Building(file, lines)
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except RecursionError:
        building.refuse(Place(file), "values nested without end", "a policy", "are there brackets that do not close?")
        raise LoadError(building.problems) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        building.refuse(place, f"text that is not YAML: {_said(error)}", "", _advice(lines, place, error))
        raise LoadError(building.problems) from None
    except YAMLError as error:
        building.refuse(Place(file), f"text that is not YAML: {' '.join(str(error).split())}", "")
        raise LoadError(building.problems) from None
    if root is None:
        building.refuse(Place(file), "an empty file", expected)
        raise LoadError(building.problems)
    node = building.build(root)
    if building.problems:
        raise LoadError(building.problems)
    return node


def _said(error: MarkedYAMLError) -> str:
    parts = [" ".join(str(part).split()) for part in (error.context, error.problem) if part]
    return ", ".join(parts) or "unreadable"


def _advice(lines: list[str], place: Place, error: MarkedYAMLError) -> str:
    line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    if "\t" in line[: place.column]:
        return "indent with spaces, not with tabs"
    if "undefined alias" in str(error.problem):
        return "quote a value that begins with '*', or for a name and all below it write: under: the-name"
    if "mapping values" in str(error.problem):
        return "quote a value that has ': ' in it; check the indentation"
    return "check brackets, quotes and indentation"
