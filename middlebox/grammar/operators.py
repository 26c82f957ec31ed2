"""The operators of a match: what each type of field takes, and how their values are read.

Which fields there are is said by `fields`; how questions are put together, by `matching`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from middlebox import fields
from middlebox.dissect.base import Kind
from middlebox.dissect.dns import TYPES
from middlebox.grammar.entries import Entries
from middlebox.grammar.headers import address
from middlebox.grammar.operands import Operands
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import TEXT, TRUTH, Context
from middlebox.grammar.source import Node, Scalar
from middlebox.grammar.units import number_range, whole
from middlebox.match import Above, Below, Contains, InRanges, Is, Operator, Present, Regex, Under, Within

#: the operators that each type of field takes
OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.NAME: ("is", "under", "contains", "regex", "present"),
    Kind.TEXT: ("is", "contains", "regex", "present"),
    Kind.TEXTS: ("is", "contains", "regex", "present"),
    Kind.NUMBER: ("is", "in", "above", "below", "present"),
    Kind.NUMBERS: ("is", "in", "above", "below", "present"),
    Kind.FLAG: ("is", "present"),
    Kind.ADDRESS: ("is", "in", "present"),
}

ABOUT: dict[str, str] = {
    "is": "the value is this, or one of these",
    "under": "the name is this, or a subdomain of it",
    "contains": "this stands somewhere in the text",
    "regex": "this pattern (Python's re) is found in the text",
    "in": "the address lies in one of these networks; the number in one of these ranges ('1-1023')",
    "above": "the number is larger than this",
    "below": "the number is smaller than this",
    "present": "true: the field is there, whatever its value; false: it is not",
}


def _is(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    if kind is Kind.FLAG:
        return Is(frozenset({TRUTH.read(node, context)}))
    values = Operands(node, context, field)
    if kind is Kind.NAME:
        return Is(frozenset(values.names()))
    if kind is Kind.ADDRESS:

        def one(item: Scalar) -> bytes:
            packed = address(item.text)
            if packed is None:
                hint = f"for networks write: {field}: {{in: {item.text}}}" if "/" in item.text else ""
                raise values.unknown(item, "an IP address, or the name of a list", hint)
            return packed

        literals = values.each(one)
        packed = [n.network_address.packed for entries in values.lists for n in entries.networks(context)]
        for entries in values.lists:
            wide = next((n for n in entries.networks(context) if n.num_addresses > 1), None)
            if wide is not None:
                raise context.refuse(
                    node.place, f"the list '{entries.name}', which has networks ({wide}), for '{field}'",
                    "addresses", f"write: {field}: {{in: {entries.name}}}"
                )  # fmt: skip
        return Is(frozenset([*literals, *packed]))
    if kind in (Kind.NUMBER, Kind.NUMBERS):
        return Is(frozenset(_numbers(values, field)))
    _of_bytes(values.texts(), field, kind, node, context)
    return Is(frozenset(_words(values, field)))


def _numbers(values: Operands, field: str) -> Iterable[object]:
    def one(item: Scalar) -> int:
        number = whole(item.text)
        if number is None:
            hint = f"for a range write: {field}: {{in: {item.text}}}" if number_range(item.text) else ""
            raise values.unknown(item, _bounds_text(field), hint)
        return _bounded(values, item, field, number)

    listed_numbers = [
        _bounded_entry(entries, index, field, values) for entries in values.lists for index in range(len(entries.texts))
    ]
    return [*values.each(one), *listed_numbers]


def _bounded_entry(entries: Entries, index: int, field: str, values: Operands) -> int:
    item = Scalar(entries.place_of(index), entries.texts[index])
    number = whole(item.text)
    if number is None:
        raise values.unknown(item, _bounds_text(field))
    return _bounded(values, item, field, number)


def _limit(field: str) -> int:
    if field.endswith(".port") or field in ("ip.length", "tls.extension", "tls.cipher", "dns.questions"):
        return 65_535
    return {"ip.ttl": 255, "ip.version": 6}.get(field, 2**32)


def _bounds_text(field: str) -> str:
    return "4 or 6" if field == "ip.version" else f"a whole number from 0 to {_limit(field)}"


def _bounded(values: Operands, item: Scalar, field: str, number: int) -> int:
    if number > _limit(field) or (field == "ip.version" and number not in (4, 6)):
        raise values.unknown(item, _bounds_text(field))
    return number


#: RFC 9110, 9.3, and RFC 5789; other methods are taken as they are written
_METHODS = "GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH"

#: fields of dissectors whose values are of a known form: the pattern, and what to write
_FORMED: dict[str, tuple[str, str]] = {
    "dns.type": (f"{'|'.join(TYPES.values())}|TYPE[0-9]{{1,5}}", "a type such as A, AAAA, HTTPS or TYPE65280"),
    "tls.version": (r"1\.[0-3]|ssl3|0x[0-9a-f]{4}", "1.3, 1.2, 1.1, 1.0 or ssl3"),
    "http.method": (
        f"{_METHODS}|(?!(?i:{_METHODS})$).*",
        "a method such as GET or POST: methods are case-sensitive (RFC 9110, 9.1)",
    ),
    "http.version": (r"1\.[01]", "1.1 or 1.0"),
    "tls.ja3": ("[0-9a-f]{32}", "a JA3 fingerprint: 32 hexadecimal digits, small letters"),
    "tls.ja4": ("[tq][0-9s][0-9][di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}", "a JA4 fingerprint"),
}


def _words(values: Operands, field: str) -> Iterable[str]:
    """Texts, checked against the field's closed set or known form if it has one."""
    known = fields.PACKET_FIELDS[field].words if field in fields.PACKET_FIELDS else ()
    formed = _FORMED.get(field)
    if formed is not None:

        def like(item: Scalar) -> str:
            if not re.fullmatch(formed[0], item.text):
                better = next((t for t in (item.text.upper(), item.text.lower()) if re.fullmatch(formed[0], t)), "")
                raise values.unknown(item, formed[1], f"write: {better}" if better else "")
            return item.text

        values.each(like)
        for entries in values.lists:
            for index, text in enumerate(entries.texts):
                like(Scalar(entries.place_of(index), text))
    if known:

        def one(item: Scalar) -> str:
            if item.text not in known:
                raise values.unknown(item, listed(known), near(item.text, known))
            return item.text

        values.each(one)
    return values.texts()


def _in(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    values = Operands(node, context, field)
    if kind is Kind.ADDRESS:
        return Within(values.networks())

    def one(item: Scalar) -> tuple[int, int]:
        found = number_range(item.text)
        if found is None:
            raise values.unknown(item, "a range such as '1-1023', or a number")
        if found[0] > found[1]:
            raise values.unknown(item, "a range", f"it is empty; write: {found[1]}-{found[0]}")
        _bounded(values, item, field, found[1])
        return found

    for entries in values.lists:
        values.literals.extend(Scalar(entries.place_of(i), text) for i, text in enumerate(entries.texts))
    ranges: list[tuple[int, int]] = values.each(one)  # type: ignore[assignment]
    return InRanges(tuple(ranges))


def _bound(field: str, node: Node, context: Context, word: str) -> int:
    """One number to compare with."""
    number = whole(node.text.strip()) if isinstance(node, Scalar) else None
    if number is None or number > _limit(field):
        hint = (
            f"for a range write: {field}: {{in: {node.text}}}" if isinstance(node, Scalar) and "-" in node.text else ""
        )
        raise context.refuse(node.place, f"{node} for '{field}'", f"one number such as '{word}: 2'", hint)
    return number


def _above(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    return Above(_bound(field, node, context, "above"))


def _below(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    number = _bound(field, node, context, "below")
    if not number:
        raise context.refuse(node.place, f"below 0 for '{field}'", "a number above 0: nothing is below 0")
    return Below(number)


def _of_bytes(texts: Iterable[str], field: str, kind: Kind, node: Node, context: Context) -> None:
    """Refuse what no bytes can be: each byte of the wire is one Latin-1 character, and a name is in its ASCII form."""
    for text in texts:
        if text.isascii() or (kind is not Kind.NAME and max(text) <= "\xff"):
            continue
        hint = 'each byte is one character: write "' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'
        if kind is Kind.NAME:
            hint = "names are compared in their ASCII form (IDNA), labels such as xn--e1afmkfd"
        raise context.refuse(node.place, f"'{text}' for '{field}', which it never holds", "what is on the wire", hint)


def _contains(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    texts = Operands(node, context, field).texts()
    _of_bytes(texts, field, kind, node, context)
    if "" in texts:
        raise context.refuse(node.place, "an empty text", f"a text for '{field}'", "present: true matches any value")
    return Contains(tuple(text.lower() if kind is Kind.NAME else text for text in texts))


def _regex(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    text = TEXT.read(node, context)
    _of_bytes([text], field, kind, node, context)
    try:
        return Regex(re.compile(text, re.IGNORECASE if kind is Kind.NAME else 0))
    except (re.error, OverflowError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise context.refuse(node.place, str(node), "a regular expression", why) from None


def _under(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    return Under(Operands(node, context, field).names())


def _present(field: str, kind: Kind, node: Node, context: Context) -> Operator:
    return Present(TRUTH.read(node, context))


READ: dict[str, Callable[[str, Kind, Node, Context], Operator]] = {
    "is": _is,
    "under": _under,
    "contains": _contains,
    "regex": _regex,
    "in": _in,
    "above": _above,
    "below": _below,
    "present": _present,
}
