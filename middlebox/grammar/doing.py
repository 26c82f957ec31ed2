"""The words of `action:`: what a rule does. They become the values of `action`.

What a box is unable to do is refused here, at the action's own place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from middlebox import forge
from middlebox.ability import DnsInjector, Draw, Injector, fixed
from middlebox.action import (
    Action,
    AnswerDns,
    AnswerHttp,
    AnswerIcmp,
    Drop,
    Hold,
    Inject,
    Log,
    Pass,
    Rewrite,
    Scope,
    unable,
)
from middlebox.forge import Unreachable
from middlebox.grammar.box import DNS_INJECTOR_KEYS, INJECTOR, INJECTOR_KEYS, PACKET_KEYS, TTL, WINDOW
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import (
    TEXT,
    Context,
    Forms,
    Key,
    Leaf,
    ListOf,
    Mismatch,
    Record,
    Refused,
    Schema,
    Shape,
    Table,
    become,
    key,
    words,
)
from middlebox.grammar.source import Mapping, Node, Scalar, Sequence
from middlebox.grammar.units import ADDRESS, FLAGS, PACKETS, TIMES, integer
from middlebox.packet import ACK, FIN, PSH, RST

SCOPES: Leaf[Scope] = words({scope.value: scope for scope in Scope})

_DROP: Record[Drop] = Record(
    "drop",
    (
        key("what", SCOPES, "packet: the one that matched; flow: it and all that follow; or one direction", "scope"),
        key("after", PACKETS, "packets of the flow, either way, that still pass after the trigger (which passes too)"),
    ),
    Drop,
)


def _injector_names(what: str) -> ListOf[str]:
    return ListOf(TEXT, f"names of {what}", alone=True)


def _chosen(names: tuple[str, ...], known: dict[str, object], what: str, node: Mapping, context: Context) -> None:
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


class _Injecting(Shape[Action]):
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
            raise context.refuse(
                node.place, f"'injectors' beside other words of '{self.word}'", "one of the two",
                "write those words under 'box: injectors: NAME: ...'",
            )  # fmt: skip
        known = dict(context.ability.injectors)
        _chosen(names, dict(known), "injectors", node, context)
        return Inject(injectors=tuple(known[name] for name in names if name in known), word=self.word)

    def schema(self) -> Schema:
        return self.record.schema()


class _Dns(Shape[Action]):
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
        from middlebox.grammar.box import DNS_INJECTOR

        assert_mapping = isinstance(node, Mapping) and node.get("injectors") is not None
        if not assert_mapping:
            return AnswerDns(injectors=(replace(DNS_INJECTOR.read(node, context), name="dns"),))
        values = self.record.values(node, context)
        assert isinstance(node, Mapping)
        names = values.pop("injectors")
        assert isinstance(names, tuple)
        if values:
            raise context.refuse(node.place, "'injectors' beside other words of 'dns'", "one of the two")
        known: dict[str, DnsInjector] = dict(context.ability.dns_injectors)
        _chosen(names, dict(known), "dns_injectors", node, context)
        return AnswerDns(injectors=tuple(known[name] for name in names if name in known))

    def schema(self) -> Schema:
        return self.record.schema()


def _header_value(node: Scalar) -> str:
    if any(character in node.text for character in "\r\n"):
        raise Mismatch("a header's value is one line")
    return node.text


_HTTP_KEYS: tuple[Key, ...] = (
    key("status", integer(100, 599, "an HTTP status"), "status of the forged response"),
    key("body", TEXT, "its body, text/html"),
    key("headers", Table("headers", TEXT), "further headers"),
    key("redirect", TEXT, "a 302 to this URL, instead of a page"),
    key("flags", FLAGS, "TCP flags of the last segment"),
    key("window", WINDOW, "TCP window"),
    *PACKET_KEYS,
)


class _Headers(Shape[dict[str, str]]):
    """Header names and values."""

    expected = "headers such as {Server: nginx}"

    def read(self, node: Node, context: Context) -> dict[str, str]:
        import re

        if not isinstance(node, Mapping):
            raise context.refuse(node.place, str(node), self.expected)
        values: dict[str, str] = {}
        for name, value in node.pairs:
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.text):  # a token, RFC 9110, 5.6.2
                raise context.refuse(name.place, str(name), "the name of a header")
            values[name.text] = _HEADER_VALUE.read(value, context)
        return values

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"type": ["string", "number"]}}


_HEADER_VALUE: Leaf[str] = Leaf("a header's value", _header_value, {"type": "string"})


class _Http(Shape[Action]):
    """`http:`: a block page or a redirect."""

    expected = "a page such as {status: 403, body: '...'}, or {redirect: 'http://...'}"
    default = Injector(name="http", flags=FIN | PSH | ACK, window=Draw(65_535, 65_535))
    record: Record[dict[str, object]] = Record(
        "http",
        tuple(key("headers", _Headers(), one.about) if one.name == "headers" else one for one in _HTTP_KEYS),
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


def _rewrite(flags: int = RST | ACK) -> Action:
    return Rewrite(flags=flags)


_ICMP: Record[AnswerIcmp] = Record(
    "icmp",
    (
        key(
            "unreachable",
            words({word: Unreachable[word.upper()] for word in ("port", "host", "net", "admin", "protocol")}),
            "which code it says",
            "code",
            required=True,
        ),
        key("from", ADDRESS, "the address that it comes from; left out: the packet's own destination", "source"),
        key("ttl", TTL, "its TTL"),
    ),
    partial(AnswerIcmp, source=None, ttl=fixed(64)),
    defaults={"ttl": fixed(64)},
)

#: the actions that take words of their own: how they are written behind their name
_SHAPES: dict[str, tuple[Shape[Action], str]] = {
    "drop": (
        Forms(scalar=become(SCOPES, lambda scope: Drop(scope=scope)), mapping=_DROP),
        "discard: packet (the default), flow, to-server, to-client, or {what: ..., after: 5-8 packets}",
    ),
    "reset": (_Injecting("reset", RST | ACK), "forge TCP segments that reset the connection"),
    "fin": (_Injecting("fin", FIN | ACK), "forge TCP segments that close the connection"),
    "rewrite": (
        Forms(
            scalar=become(FLAGS, lambda flags: Rewrite(flags=flags)),
            mapping=Record("rewrite", (key("flags", FLAGS, "TCP flags"),), _rewrite, defaults={"flags": RST | ACK}),
        ),
        "turn the server's later packets into RST+ACK (or other flags), payload stripped",
    ),
    "dns": (_Dns(), "answer a DNS query in the resolver's name"),
    "http": (_Http(), "answer an HTTP request in the server's name, and close: a block page or a redirect"),
    "icmp": (_ICMP, "tell the sender that the destination cannot be reached"),
    "hold": (become(TIMES, lambda draw: Hold(delay_ns=draw)), "forward the packet later: 200 ms, or 100-300 ms"),
}

_ALONE: dict[str, tuple[Callable[[], Action], str]] = {
    "pass": (Pass, "let the flow go: no later rule is asked about it"),
    "log": (Log, "only write it down; later rules are still asked"),
    "drop": (Drop, "discard the packet"),
    "reset": (lambda: Inject(injectors=(Injector(name="reset", flags=RST | ACK),)), "one RST+ACK to each end"),
    "fin": (lambda: Inject(injectors=(Injector(name="fin", flags=FIN | ACK),), word="fin"), "one FIN+ACK to each end"),
    "rewrite": (_rewrite, "turn the server's later packets into RST+ACK, payload stripped"),
}

ACTION_WORDS: tuple[str, ...] = ("pass", "log", *_SHAPES)


class ActionShape(Shape[Action]):
    """One action: a word alone, or a word with words of its own."""

    expected = f"an action: {listed(ACTION_WORDS)}"

    def read(self, node: Node, context: Context) -> Action:
        action = self._read(node, context)
        why = unable(context.ability, action) if context.box_known else None
        if why is not None:
            raise context.refuse(node.place, f"'{action.word}' in a policy whose box is on-path", "", why)
        return action

    def _read(self, node: Node, context: Context) -> Action:
        if isinstance(node, Scalar):
            if node.text in _ALONE:
                return _ALONE[node.text][0]()
            if node.text in _SHAPES:
                shape = _SHAPES[node.text][0]
                raise context.refuse(node.place, f"'{node.text}' alone", f"{node.text}: {shape.expected}")
            word, _, rest = node.text.partition(":")
            hint = "leave the quotes out" if rest and word in ACTION_WORDS else near(node.text, ACTION_WORDS)
            raise context.refuse(node.place, str(node), self.expected, hint)
        if isinstance(node, Sequence):
            raise context.refuse(node.place, str(node), self.expected)
        if len(node.pairs) != 1:
            raise context.refuse(
                node.place,
                str(node),
                "one action",
                f"for several write a list: [{', '.join(k.text for k, _ in node.pairs)}]",
            )
        word_node, value = node.pairs[0]
        if word_node.text not in _SHAPES:
            if word_node.text in _ALONE:
                raise context.refuse(
                    value.place, f"{value} behind '{word_node.text}'", f"the word '{word_node.text}' alone"
                )
            raise context.refuse(
                word_node.place,
                f"'{word_node.text}', which is no action",
                self.expected,
                near(word_node.text, ACTION_WORDS),
            )
        return _SHAPES[word_node.text][0].read(value, context)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/action"}


ACTION = ActionShape()

_several: ListOf[Action] = ListOf(ACTION, "actions")
ACTIONS: Forms[tuple[Action, ...]] = Forms(
    scalar=become(ACTION, lambda action: (action,)),
    mapping=become(ACTION, lambda action: (action,)),
    sequence=_several,
)


def action_schema() -> Schema:
    """The definition that `ACTION` refers to."""
    alone: Schema = {"enum": list(_ALONE)}
    properties = {word: {"description": about, **shape.schema()} for word, (shape, about) in _SHAPES.items()}
    longer: Schema = {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    return {"anyOf": [alone, longer]}


def action_words() -> dict[str, str]:
    """Each action's word and what it does."""
    return {word: (_SHAPES[word] if word in _SHAPES else _ALONE[word])[1] for word in ACTION_WORDS}
