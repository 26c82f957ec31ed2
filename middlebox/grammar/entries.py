"""Lists of a policy: entries of the file itself and of list files, kept as text until a field says what they are.

A list file has one entry a line; blank lines and `# comments` are skipped. 100,000 names load in well under a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from middlebox.ability import Network
from middlebox.grammar.collection import ListOf
from middlebox.grammar.headers import network
from middlebox.grammar.problem import Place, near
from middlebox.grammar.shape import TEXT, Context, Mismatch, Refused, Schema, Shape
from middlebox.grammar.source import Node, Scalar, Sequence

T = TypeVar("T")

#: labels of letters, digits, hyphens and underscores (RFC 952, RFC 1123, 2.1; underscores occur in practice)
_HOST = re.compile(r"(?!.{254})[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")

_FILE = "file:"


@dataclass(slots=True)
class Entries:
    """One list: texts and where each stands."""

    name: str
    place: Place
    texts: list[str] = field(default_factory=list)
    #: (index of the first text, file, line of each text, column)
    origins: list[tuple[int, str, list[int], int]] = field(default_factory=list)
    used: bool = False
    _names: tuple[str, ...] | None = None
    _networks: tuple[Network, ...] | None = None

    def add(self, texts: list[str], file: str, lines: list[int], column: int = 1) -> None:
        self.origins.append((len(self.texts), file, lines, column))
        self.texts.extend(texts)

    def place_of(self, index: int) -> Place:
        for first, file, lines, column in reversed(self.origins):
            if index >= first:
                return Place(file, lines[index - first], column)
        return self.place

    def names(self, context: Context) -> tuple[str, ...]:
        """The entries as host names, in the form in which names are compared."""
        if self._names is None:
            self._names = tuple(self._each(host_name, "a host name", context))
        return self._names

    def networks(self, context: Context) -> tuple[Network, ...]:
        """The entries as networks."""
        if self._networks is None:
            self._networks = tuple(self._each(network, "a network such as 203.0.113.0/24, or an address", context))
        return self._networks

    def shown(self) -> tuple[str, ...]:
        """The entries for people, in the form in which they are compared if they are names."""
        return self._names if self._names is not None else tuple(self.texts)

    def _each(self, make: Callable[[str], T], expected: str, context: Context) -> list[T]:
        made: list[T] = []
        bad = 0
        for index, text in enumerate(self.texts):
            try:
                made.append(make(text))
            except Mismatch as error:
                bad += 1
                if bad <= 20:
                    context.refuse(self.place_of(index), f"'{text}' in the list '{self.name}'", expected, str(error))
        if bad:
            raise Refused
        return made


def host_name(text: str) -> str:
    """A name as the dissectors give it: small letters, no dot at the end, A-labels (RFC 5890); raises `Mismatch`."""
    if _HOST.fullmatch(text) and not text.isdigit():
        if text[-1].isdigit() and re.fullmatch(r"[0-9.]+", text):
            raise Mismatch("that is an address; match it with server.ip")
        return text
    if text.startswith("*."):
        raise Mismatch(f"write {text[2:]} and match it with 'under', which means the name and all below it")
    if "://" in text or "/" in text:
        raise Mismatch(f"a name alone, without scheme and path: {re.sub('^[a-z]+://', '', text).split('/')[0]}")
    name = text.lower().removesuffix(".")
    if ":" in name:
        raise Mismatch("match addresses with server.ip, ports with server.port")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise Mismatch("it cannot be written in ASCII by IDNA") from None
    if not _HOST.fullmatch(name):
        raise Mismatch("letters, digits and hyphens, in labels of 1 to 63, joined by dots")
    return name


def _list_file(node: Scalar, entries: Entries, context: Context) -> None:
    path = context.folder / node.text[len(_FILE) :].strip()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = near(path.name, sorted(beside)) or "the path starts at the policy's folder"
        raise context.refuse(node.place, f"the list file '{path}', which does not exist", "a file", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise context.refuse(
            node.place, f"the list file '{path}', which cannot be read: {why}", "a text file"
        ) from None
    lines = text.splitlines()
    texts: list[str] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip() if "#" in line else line.strip()
        if entry:
            texts.append(entry)
            numbers.append(number)
    if not texts:
        raise context.refuse(node.place, f"the list file '{path}', which has no entries", "one entry a line")
    context.lines[str(path)] = lines
    entries.add(texts, str(path), numbers)


class _List(Shape[Entries]):
    """One list: entries, and names of list files."""

    expected = "a list of entries, or of list files such as 'file:names.txt'"

    def read(self, node: Node, context: Context) -> Entries:
        items = node.items if isinstance(node, Sequence) else (node,)
        entries = Entries("", node.place)
        if not items:
            raise context.refuse(node.place, str(node), self.expected)
        good = True
        for item in items:
            try:
                text = TEXT.read(item, context)
                assert isinstance(item, Scalar)
                if text.startswith(_FILE):
                    _list_file(item, entries, context)
                else:
                    entries.add([text], item.place.file, [item.place.line], item.place.column)
            except Refused:
                good = False
        if not good:
            raise Refused
        return entries

    def schema(self) -> Schema:
        return ListOf(TEXT, "entries", alone=True).schema()


LIST = _List()
