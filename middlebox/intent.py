"""What a policy means to happen, whatever its box is able to see: the yardstick for over- and underblocking.

The rules are asked about ideal facts (a name in a DNS query, in a ClientHello, in an HTTP request); a field that the
subject does not settle is left open, and an open question is not a match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from middlebox.action import Action, Delay, Freeze, Hold, Log, Lose, Pass, Police, Shape, Share
from middlebox.fields import PACKET_FIELDS, protocol_of
from middlebox.match import UNKNOWN, Look
from middlebox.policy import Policy

#: what a policy can mean, in the words of a row's outcome
OK, BLOCKED, THROTTLED, DEGRADED = "ok", "blocked", "throttled", "degraded"
#: bytes of content in a packet of a transfer, about: for what freezes after so many packets
_PER_PACKET = 1_400
#: bytes of a TLS handshake and of the headers of a short exchange, about: for what passes until a bucket is empty
_HANDSHAKE = 6_000
#: what any client of today says in a ClientHello
_TLS: dict[str, object] = {"tls.version": ("1.3", "1.2"), "tls.ech": False, "tls.esni": False}
#: and in its first datagram over QUIC (RFC 9000, 14.1; RFC 9114)
_QUIC: dict[str, object] = {
    "transport": "udp",
    "port.order": "src-above",
    "payload.length": 1_200,
    "quic.version": "1",
    "quic.initial": True,
    "quic.alpn": ("h3",),
    "quic.ech": False,
}


@dataclass(frozen=True, slots=True)
class Ideal(Look):
    """A look at something that has not happened: the named fields are known, others of the same protocols absent."""

    values: Mapping[str, object]

    def value(self, name: str) -> object:
        if name in self.values:
            return self.values[name]
        protocol = protocol_of(name)
        spoken = {protocol_of(known) for known in self.values}
        if protocol:
            return UNKNOWN if protocol in spoken else None
        return UNKNOWN if name in PACKET_FIELDS else None


def _looks(name: str | None, address: bytes | None, protocol: str, port: int, family: int) -> list[dict[str, object]]:
    base: dict[str, object] = {
        "direction": "to-server",
        "initiator": "inside",
        "ip.version": family,
        "ip.fragment": False,
    }
    server: dict[str, object] = {} if address is None else {"server.ip": address, "dst.ip": address, "any.ip": address}
    ports = {"server.port": port, "dst.port": port}
    looks: list[dict[str, object]] = []
    if name is not None:
        kind = "AAAA" if family == 6 else "A"
        asked: dict[str, object] = {"dns.name": name, "dns.type": kind, "dns.questions": 1}
        looks.append({**base, "transport": "udp", "server.port": 53, "dst.port": 53, **asked})
    if protocol == "dns":
        return looks
    if protocol == "stun":
        # a Binding request with a fingerprint, at STUN's own port (RFC 8489, 5 and 8.1)
        stun: dict[str, object] = {"server.port": 3_478, "dst.port": 3_478, "payload.length": 28}
        looks.append({**base, **server, **stun, "transport": "udp", "port.order": "src-above"})
        return looks
    if protocol == "h3":
        looks.append({**base, **server, **ports, **_QUIC, "quic.sni": name})
        return looks
    looks.append({**base, **server, **ports, "transport": "tcp", "tcp.flags": ("SYN",)})
    if protocol == "https":
        looks.append({**base, **server, **ports, "transport": "tcp", "tls.sni": name, **_TLS})
    elif protocol == "http":
        http = {"http.host": name, "http.method": "GET", "http.target": "/", "http.version": "1.1"}
        looks.append({**base, **server, **ports, "transport": "tcp", **http})
    return looks


def intended(
    policy: Policy | None,
    *,
    name: str | None = None,
    address: bytes | None = None,
    protocol: str = "https",
    port: int = 443,
    family: int = 4,
    resolves: bool = True,
    size: int = 0,
) -> str:
    """What the policy means for a fetch by a subscriber inside: "ok", "blocked", "throttled" or "degraded".

    `name` is what the client says in DNS and in the protocol (None: it says none); `protocol` is "https", "h3", "http",
    "stun" or "dns"; `address` is packed; `resolves` False leaves the DNS query out; `size` is that of the object, in
    bytes. A flow that freezes is blocked if the object is larger than what passes; one that is policed for itself is ok
    if the bucket holds all of the object. Chance, thresholds and schedules do not count: what is meant now and then is
    meant.
    """
    if policy is None:
        return OK
    meant = OK
    for values in _looks(name, address, protocol, port, family):
        if not resolves and values.get("server.port") == 53 and protocol != "dns":
            continue
        look = Ideal(values)
        for rule in policy.rules:
            # what only the memory of a rule does is meant too
            actions = rule.actions if rule.memory is None else (*rule.actions, *rule.memory.actions)
            if rule.match.test(look) is not True or all(isinstance(action, Log) for action in actions):
                continue
            if any(isinstance(action, Pass) for action in rule.actions):
                break
            worst = max((_harm(action, size) for action in actions), key=_SCALE.index)
            if worst == BLOCKED:
                return BLOCKED
            meant = max(meant, worst, key=_SCALE.index)
            if not all(isinstance(action, Hold | Log) for action in actions):
                break
    return meant


#: from the mildest to the worst
_SCALE = (OK, DEGRADED, THROTTLED, BLOCKED)


def _harm(action: Action, size: int) -> str:
    """What one action means for an object of so many bytes."""
    if isinstance(action, Log):
        return OK
    if isinstance(action, Hold | Delay):
        return DEGRADED
    if isinstance(action, Lose):
        return BLOCKED if action.share == 1 else DEGRADED
    if isinstance(action, Police) and action.per is Share.FLOW and 0 < size <= action.burst - _HANDSHAKE:
        return OK  # a full bucket lets it through at once
    if isinstance(action, Police | Shape):
        return THROTTLED
    if isinstance(action, Freeze):
        passes = action.amount.bytes or action.amount.packets * _PER_PACKET
        return BLOCKED if size > passes else OK
    return BLOCKED
