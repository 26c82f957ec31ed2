"""The words of the actions that forge packets: reset, fin, dns, http. They become values of `action`.

A forged packet's words stand in place, or under a name in the box.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from middlebox import forge
from middlebox.ability import Draw, Injector
from middlebox.action import Action, AnswerDns, AnswerHttp, Inject
from middlebox.grammar.box import (
    DNS_INJECTOR,
    DNS_INJECTOR_KEYS,
    INJECTOR,
    INJECTOR_KEYS,
    PACKET_KEYS,
    WINDOW,
)
from middlebox.grammar.collection import Key, ListOf, Record, key
from middlebox.grammar.headers import FLAGS
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import TEXT, Context, Leaf, Mismatch, Refused, Schema, Shape
from middlebox.grammar.source import Mapping, Node, Scalar, Sequence
from middlebox.grammar.units import integer
from middlebox.packet import ACK, FIN, PSH


def _injector_names(what: str) -> ListOf[str]:
    return ListOf(TEXT, f"names of {what}", alone=True)


def _chosen(names: tuple[str, ...], known: Collection[str], what: str, node: Mapping, context: Context) -> None:
    """Refuse names that the box does not have."""
    value = node.get("injectors")
    items = value.items if isinstance(value, Sequence) else (value,)
    good = True
    for name, item in zip(names, items, strict=True):
        assert isinstance(item, Scalar)
        if name not in known and context.box_known:
            expected = f"one of the box's {what}: {listed(known)}" if known else f"an injector under 'box: {what}: ...'"
            context.refuse(
                item.place, f"the injector '{name}', which the box does not have", expected, near(name, known)
            )
            good = False
        context.injectors_used.add(name)
    if not good:
        raise Refused


def _both(word: str, table: str, node: Node, context: Context) -> Refused:
    hint = f"write those words under 'box: {{{table}: {{NAME: ...}}}}'"
    return context.refuse(node.place, f"'injectors' beside other words of '{word}'", "one of the two", hint)


class Injecting(Shape[Action]):
    """`reset:` and `fin:`: the injector's own words in place, or the names of the box's injectors."""

    def __init__(self, word: str, flags: int) -> None:
        self.word = word
        self.default = Injector(name=word, flags=flags)
        self.record: Record[Injector] = Record(
            word,
            (
                *INJECTOR_KEYS,
                key("injectors", _injector_names("the box's injectors"), "injectors that the box declares"),
            ),
            lambda **values: replace(self.default, **values),
            defaults={**INJECTOR.defaults, "flags": flags},
        )
        self.expected = f"an injector's words, or {{injectors: [...]}}, for '{word}'"

    def read(self, node: Node, context: Context) -> Action:
        values = self.record.values(node, context)
        assert isinstance(node, Mapping)
        names = values.pop("injectors", None)
        if names is None:
            return Inject(injectors=(self.record.build(**values),), word=self.word)
        assert isinstance(names, tuple)
        if values:
            raise _both(self.word, "injectors", node, context)
        known = context.ability.injectors
        _chosen(names, known, "injectors", node, context)
        return Inject(injectors=tuple(known[name] for name in names if name in known), word=self.word)

    def schema(self) -> Schema:
        return self.record.schema()


class DnsAnswering(Shape[Action]):
    """`dns:`: a DNS injector's own words in place, or the names of the box's."""

    expected = "forged addresses such as {a: [192.0.2.1]}, {nxdomain: true}, or {injectors: [...]}"
    record: Record[dict[str, object]] = Record(
        "dns",
        (
            *DNS_INJECTOR_KEYS,
            key("injectors", _injector_names("the box's DNS injectors"), "DNS injectors that the box declares"),
        ),
        dict,
        defaults={"answer_ttl": 60, "authoritative": False, "copies": 1, "df": False},
    )

    def read(self, node: Node, context: Context) -> Action:
        if not isinstance(node, Mapping):
            raise context.refuse(node.place, str(node), self.expected)
        values = self.record.values(node, context)
        if "injectors" not in values:
            return AnswerDns(injectors=(replace(DNS_INJECTOR.read(node, context), name="dns"),))
        names = values.pop("injectors")
        assert isinstance(names, tuple)
        if values:
            raise _both("dns", "dns_injectors", node, context)
        known = context.ability.dns_injectors
        _chosen(names, known, "dns_injectors", node, context)
        return AnswerDns(injectors=tuple(known[name] for name in names if name in known))

    def schema(self) -> Schema:
        return self.record.schema()


def _header_value(node: Scalar) -> str:
    if not re.fullmatch(r"[\x20-\x7e]*", node.text):  # field-content of RFC 9110, 5.5, without its obsolete part
        raise Mismatch("letters, digits and signs of ASCII, in one line")
    return node.text


_HEADER_VALUE: Leaf[str] = Leaf("a header's value", _header_value, {"type": ["string", "number"]})


#: bytes of a block page: each trigger is answered with all of it
MAX_BODY = 65_536


def _body(node: Scalar) -> str:
    text = TEXT.parse(node)
    if len(text.encode()) > MAX_BODY:
        raise Mismatch(f"at most {MAX_BODY} bytes; these are {len(text.encode())}")
    return text


_BODY: Leaf[str] = Leaf("a page", _body, TEXT.schema())


class _Headers(Shape[dict[str, str]]):
    """Header names and values."""

    expected = "headers such as {Server: nginx}"

    def read(self, node: Node, context: Context) -> dict[str, str]:
        if not isinstance(node, Mapping):
            raise context.refuse(node.place, str(node), self.expected)
        values: dict[str, str] = {}
        for name, value in node.pairs:
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.text):  # a token, RFC 9110, 5.6.2
                raise context.refuse(name.place, str(name), "the name of a header")
            values[name.text] = _HEADER_VALUE.read(value, context)
        return values

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": _HEADER_VALUE.schema()}


_HTTP_KEYS: tuple[Key, ...] = (
    key("status", integer(200, 599, "an HTTP status"), "status of the forged response"),
    key("body", _BODY, "its body, text/html"),
    key("headers", _Headers(), "further headers"),
    key("redirect", _HEADER_VALUE, "a 302 (or another status) to this URL, instead of a page"),
    key("flags", FLAGS, "TCP flags of the last segment"),
    key("window", WINDOW, "TCP window"),
    *PACKET_KEYS,
)


class HttpAnswering(Shape[Action]):
    """`http:`: a block page or a redirect."""

    expected = "a page such as {status: 403, body: '...'}, or {redirect: 'http://...'}"
    default = Injector(name="http", flags=FIN | PSH | ACK, window=Draw(65_535, 65_535))
    record: Record[dict[str, object]] = Record(
        "http",
        _HTTP_KEYS,
        dict,
        defaults={"status": 403, "flags": FIN | PSH | ACK, "ttl": default.ttl, "ip_id": default.ip_id, "df": False},
    )

    def read(self, node: Node, context: Context) -> Action:
        values = self.record.values(node, context)
        status = values.pop("status", None)
        body = str(values.pop("body", ""))
        headers = values.pop("headers", {})
        redirect = values.pop("redirect", None)
        assert isinstance(headers, dict)
        lines = [(str(name), str(value)) for name, value in headers.items()]
        if redirect is not None:
            lines.insert(0, ("Location", str(redirect)))
            if isinstance(status, int) and not 300 <= status <= 399:
                raise context.refuse(node.place, f"a redirect with status {status}", "a status from 300 to 399")
        if status is None:
            status = 302 if redirect is not None else 403
        assert isinstance(status, int)
        if body and not any(name.lower() == "content-type" for name, _ in lines):
            lines.append(("Content-Type", "text/html; charset=utf-8"))
        response = forge.http_response(status=status, headers=lines, body=body.encode())
        return AnswerHttp(response=response, injector=replace(self.default, **values))  # type: ignore[arg-type]

    def schema(self) -> Schema:
        return self.record.schema()
