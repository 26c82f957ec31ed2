"""A policy's text with other values at some of its places, each named by a dotted path such as `rules.0.chance`.

The text around a value stays as it is, so that whatever the policy's loader says of the result still names the right
line. Whether a value makes sense is the loader's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from middlebox.grammar.problem import LoadError, Place, Problem, listed, near

#: a path that begins with one of these names a value of the policy; other names are the backend's settings
ROOTS = ("box", "lists", "rules")


@dataclass(frozen=True, slots=True)
class _Edit:
    """Characters of the text that give way to others."""

    begin: int
    end: int
    text: str
    added: str = ""  #: the key that is added there


def substitute(text: str, values: Mapping[str, str], file: str) -> str:
    """The text with each path's value in place; raises `LoadError` for a path that leads nowhere, or not to one value.

    A step of a path is a key, a number from 0 or the `name` of an item in a list; a key that is missing at a path's
    end is added. `file` is what messages call the text, which must be YAML.
    """
    root = YAML(typ="safe", pure=True).compose(text)
    edits: dict[tuple[int, str], _Edit] = {}
    for path, value in values.items():
        edit = _Finding(path, file, text).edit(root, path.split("."), value)
        if (edit.begin, edit.added) in edits:
            raise _refused(file, text, root, f"'{path}', a place that another path names too", "each place once")
        edits[edit.begin, edit.added] = edit
    for edit in sorted(edits.values(), key=lambda one: one.begin, reverse=True):
        text = text[: edit.begin] + edit.text + text[edit.end :]
    return text


class _Finding:
    """One path on its way down."""

    def __init__(self, path: str, file: str, text: str) -> None:
        self._path = path
        self._file = file
        self._text = text

    def edit(self, node: Node, steps: list[str], value: str) -> _Edit:
        if not steps:
            if not isinstance(node, ScalarNode) or node.style in ("|", ">"):
                kind = "a mapping" if isinstance(node, MappingNode) else "a list"
                kind = "a block of text" if isinstance(node, ScalarNode) else kind
                raise self._refuse(node, f"{kind} at '{self._path}'", "the path of a single value", self._deeper(node))
            return _Edit(node.start_mark.index, node.end_mark.index, _written(value))
        if isinstance(node, SequenceNode):
            return self.edit(self._item(node, steps[0]), steps[1:], value)
        if not isinstance(node, MappingNode):
            raise self._refuse(node, f"nothing below '{self._upto(steps)}'", "a path that ends there")
        for count in range(len(steps), 0, -1):  # keys have dots of their own: tls.sni
            found = _get(node, ".".join(steps[:count]))
            if found is not None:
                return self.edit(found, steps[count:], value)
        if len(steps) > 1:
            keys = [key.value for key, _ in node.value]
            raise self._refuse(node, f"no '{steps[0]}' for the path '{self._path}'", listed(keys), near(steps[0], keys))
        return self._added(node, steps[0], value)

    def _item(self, node: SequenceNode, step: str) -> Node:
        items: list[Node] = node.value
        names = [_name(item) for item in items]
        if step in names:
            return items[names.index(step)]
        if step.isdecimal() and int(step) < len(names):
            return items[int(step)]
        known = [name for name in names if name]
        numbers = f"a number from 0 to {len(names) - 1}" if len(names) > 1 else "the number 0"
        expected = numbers + (f", or a name: {listed(known)}" if known else "")
        raise self._refuse(node, f"no item '{step}' for the path '{self._path}'", expected, near(step, known))

    def _added(self, node: MappingNode, key: str, value: str) -> _Edit:
        at = node.start_mark.index
        if node.flow_style:
            return _Edit(at + 1, at + 1, f"{key}: {_written(value)}, ", key)
        return _Edit(at, at, f"{key}: {_written(value)}\n{' ' * node.start_mark.column}", key)

    def _deeper(self, node: Node) -> str:
        if isinstance(node, MappingNode) and node.value:
            return f"such as {self._path}.{node.value[0][0].value}"
        return f"such as {self._path}.0" if isinstance(node, SequenceNode) else ""

    def _upto(self, steps: list[str]) -> str:
        return self._path.removesuffix("." + ".".join(steps))

    def _refuse(self, node: Node, found: str, expected: str, suggestion: str = "") -> LoadError:
        return _refused(self._file, self._text, node, found, expected, suggestion)


def _refused(file: str, text: str, node: Node, found: str, expected: str, suggestion: str = "") -> LoadError:
    mark = node.start_mark
    place = Place(file, mark.line + 1, mark.column + 1)
    excerpt = text.splitlines()[mark.line]
    return LoadError([Problem(place=place, found=found, expected=expected, suggestion=suggestion, excerpt=excerpt)])


def _get(node: MappingNode, key: str) -> Node | None:
    return next((value for name, value in node.value if name.value == key), None)


def _name(item: Node) -> str:
    found = _get(item, "name") if isinstance(item, MappingNode) else None
    return found.value if isinstance(found, ScalarNode) else ""


def _written(value: str) -> str:
    """The value as YAML: as it is if it is plain there, else quoted."""
    try:  # an empty value is plain, but nothing
        node = YAML(typ="safe", pure=True).compose(f"{{a: {value}}}")
        plain = node.value[0][1]
        if (
            value
            and len(node.value) == 1
            and isinstance(plain, ScalarNode)
            and plain.value == value
            and not plain.style
        ):
            return value
    except (YAMLError, IndexError, AttributeError):
        pass
    return "'" + value.replace("'", "''") + "'"
