"""The question of a rule in plain English."""

from __future__ import annotations

from collections.abc import Iterable

from middlebox import fields
from middlebox.grammar.problem import listed
from middlebox.match import (
    Above,
    All,
    AnyOf,
    Below,
    Contains,
    InRanges,
    Is,
    Match,
    Not,
    Operator,
    Present,
    Regex,
    Test,
    Under,
    Within,
)
from middlebox.packet import address_text

#: entries of a long list that are named
MAX_NAMED = 4

_NOUNS = {
    "tls.sni": "the server name in a ClientHello",
    "tls.alpn": "an application protocol (ALPN) in a ClientHello",
    "tls.version": "a TLS version that a ClientHello offers",
    "tls.extension": "the number of an extension in a ClientHello",
    "tls.cipher": "the number of a cipher suite in a ClientHello",
    "tls.ja3": "the JA3 fingerprint of a ClientHello",
    "tls.ja4": "the JA4 fingerprint of a ClientHello",
    "http.host": "the host of an HTTP request",
    "http.method": "the method of an HTTP request",
    "http.target": "the target of an HTTP request",
    "http.version": "the version of an HTTP request",
    "http.header": "a header of an HTTP request",
    "http.user_agent": "the User-Agent of an HTTP request",
    "dns.name": "the name in a DNS query",
    "dns.type": "the type of a DNS query",
    "dns.questions": "the number of questions in a DNS query",
    "tcp.flags": "a TCP flag that is set",
    "payload": "the packet's payload",
    "payload.length": "the number of bytes of payload",
    "transport": "the transport protocol",
    "direction": "the packet's direction",
    "initiator": "the side on which the flow began",
    "ip.version": "the IP version",
    "ip.ttl": "the TTL",
    "ip.length": "the length of the IP packet in bytes",
    "any.ip": "one of the two addresses",
    "any.port": "one of the two ports",
    "port.order": "the order of the packet's source port and its destination port",
    "client.ip": "the client's address",
    "client.port": "the client's port",
    "server.ip": "the server's address",
    "server.port": "the server's port",
    "src.ip": "the packet's source address",
    "src.port": "the packet's source port",
    "dst.ip": "the packet's destination address",
    "dst.port": "the packet's destination port",
}
_FLAGS = {
    "tls.ech": ("a ClientHello has Encrypted Client Hello", "a ClientHello is without Encrypted Client Hello"),
    "tls.esni": ("a ClientHello has encrypted SNI", "a ClientHello is without encrypted SNI"),
    "ip.fragment": ("the packet came in IP fragments", "the packet came in one piece"),
}


def match_text(match: Match) -> str:
    """The question, as what follows "when ..."."""
    if isinstance(match, Test):
        return _test(match.field, match.operator)
    if isinstance(match, Not):
        return f"it is not so that {_part(match.part)}"
    if isinstance(match, AnyOf):
        return "either " + ", or ".join(_part(part) for part in match.parts)
    if isinstance(match, All):
        return " and ".join(_part(part) for part in match.parts) if match.parts else "any packet comes"
    raise TypeError(f"a match of the type {type(match).__name__} has no sentence")


def _part(match: Match) -> str:
    text = match_text(match)
    return f"({text})" if isinstance(match, AnyOf | All) and len(match.parts) > 1 else text


def noun(field: str) -> str:
    """A field as a noun."""
    return _NOUNS.get(field) or fields.noun(field) or f"{field} ({fields.about(field)})"


def _test(field: str, operator: Operator) -> str:
    if isinstance(operator, Present):
        protocol = fields.protocol_of(field)
        where = f" in the {protocol.upper()} message" if protocol and field not in _NOUNS else ""
        return f"{noun(field)} is {'there, whatever it is' if operator.wanted else 'missing'}{where}"
    if field in _FLAGS and isinstance(operator, Is):
        return _FLAGS[field][0 if True in operator.values else 1]
    return f"{noun(field)} {_operator(operator)}"


def _operator(operator: Operator) -> str:
    if isinstance(operator, Under):
        if len(operator.names) == 1:
            return f"is {next(iter(operator.names))} or a name below it"
        return f"is {_some(sorted(operator.names))}, or a name below one of these"
    if isinstance(operator, Is):
        return f"is {_some(sorted(_shown(value) for value in operator.values))}"
    if isinstance(operator, Contains):
        return f"contains {_some(repr(text) for text in operator.needles)}"
    if isinstance(operator, Regex):
        return f"matches the pattern {operator.pattern.pattern!r}"
    if isinstance(operator, Within):
        return f"lies in {_some(str(network) for network in operator.networks)}"
    if isinstance(operator, InRanges):
        return f"is {_some(str(low) if low == high else f'{low} to {high}' for low, high in operator.ranges)}"
    if isinstance(operator, Above):
        return f"is above {operator.bound}"
    if isinstance(operator, Below):
        return f"is below {operator.bound}"
    raise TypeError(f"an operator of the type {type(operator).__name__} has no sentence")


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return address_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _some(texts: Iterable[str]) -> str:
    every = list(texts)
    if len(every) <= MAX_NAMED + 1:
        return listed(every)
    return f"{', '.join(every[:MAX_NAMED])} or one of {len(every) - MAX_NAMED:,} more"
