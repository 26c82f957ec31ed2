"""One packet in its flow as a match sees it: fields of the packet, of its place in the flow, and facts read so far."""

from __future__ import annotations

from typing import Final

from middlebox.dissect import DISSECTORS
from middlebox.dissect import FIELDS as FACT_FIELDS
from middlebox.dissect.base import Field
from middlebox.fields import protocol_of
from middlebox.flow import Flow, transport_name
from middlebox.match import UNKNOWN, Look, Within
from middlebox.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, URG, PacketView
from middlebox.verdict import Direction

_FLAGS: Final = ((FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG"))
_FLAG_BIT: Final = {name: bit for bit, name in _FLAGS}


def flag_names(flags: int) -> tuple[str, ...]:
    """("SYN", "ACK"), in the order of their bits."""
    return tuple(name for bit, name in _FLAGS if flags & bit)


def flag_bits(names: str) -> int:
    """The bits of "RST+ACK"; raises KeyError for a name that is none."""
    bits = 0
    for name in names.split("+"):
        bits |= _FLAG_BIT[name.strip().upper()]
    return bits


class Told:
    """A field that a dissector tells."""

    __slots__ = ("field", "protocol", "transports")

    def __init__(self, field: Field) -> None:
        self.field = field
        self.protocol = protocol_of(field.name)
        words = DISSECTORS[self.protocol].transports
        self.transports = frozenset(number for number, word in ((TCP, "tcp"), (UDP, "udp")) if word in words)


#: every field that a dissector tells, by name
FACTS: Final[dict[str, Told]] = {name: Told(field) for name, field in FACT_FIELDS.items()}


class Looking(Look):
    """The look at one packet; made anew for each packet that rules are asked about."""

    __slots__ = ("_believed", "_inside", "_joined", "direction", "flow", "view")

    def __init__(
        self,
        inside: Within,
        view: PacketView,
        flow: Flow | None,
        direction: Direction,
        believed: bool,
        joined: bool = False,
    ) -> None:
        self._inside = inside
        self._believed = believed  # False: the box reads nothing of this packet's flow
        self._joined = joined  # the view is of a datagram whose last missing fragment is the packet
        self.view = view
        self.flow = flow
        self.direction = direction

    def turned(self) -> Looking:
        """The same packet as it looks to who takes its sender for the other end."""
        direction = self.direction.reverse
        return Looking(self._inside, self.view, self.flow, direction, self._believed, self._joined)

    def value(self, name: str) -> object:
        """The field's value; None if it is absent; `UNKNOWN` if later packets may still tell."""
        told = FACTS.get(name)
        if told is not None:
            return self._fact(told)
        view = self.view
        whose, _, what = name.partition(".")
        if what == "ip" or what == "port":
            return self._end(whose, what)
        if name == "port.order":
            return self._order()
        if name == "direction":
            return self.direction.value
        if name == "initiator":
            client = view.src if self.direction is Direction.TO_SERVER else view.dst
            return "inside" if self._inside.holds(client) else "outside"
        if name == "transport":
            word = transport_name(view.proto)
            return word if not word.startswith("ip-") else "other"
        if name == "payload.length":
            return view.payload_len
        if name == "payload":
            return view.payload.decode("latin-1")
        if name == "tcp.flags":
            return flag_names(view.flags) if view.proto == TCP else None
        if name == "ip.version":
            return view.version
        if name == "ip.ttl":
            return view.ttl
        if name == "ip.fragment":
            return view.is_fragment or self._joined
        return view.total  # ip.length

    def _end(self, whose: str, what: str) -> object:
        view = self.view
        if what == "port" and view.proto not in (TCP, UDP):
            return None
        if whose == "any":
            if what == "port":
                return (view.src_port, view.dst_port)
            return (view.src, view.dst)
        from_source = whose == "src" or whose == ("client" if self.direction is Direction.TO_SERVER else "server")
        if what == "port":
            return view.src_port if from_source else view.dst_port
        return view.src if from_source else view.dst

    def _order(self) -> str | None:
        view = self.view
        if view.proto not in (TCP, UDP):
            return None
        if view.src_port == view.dst_port:
            return "equal"
        return "src-above" if view.src_port > view.dst_port else "src-below"

    def _fact(self, told: Told) -> object:
        flow, protocol = self.flow, told.protocol
        if self.view.proto not in told.transports:
            return None
        if flow is None or not self._believed:
            return UNKNOWN
        fact = flow.facts.get(protocol)
        if fact is not None:
            value = told.field.get(fact)
            if value is not UNKNOWN:
                return value
            # the fact leaves it open: it may come as long as the flow is followed
            return UNKNOWN if flow.following is not None and protocol in flow.following else None
        if flow.stopped:
            return None
        if flow.proto == UDP:  # a datagram has been read whole or is none of this protocol; a conversation may go on
            going_on = flow.following is not None and protocol in flow.following
            return UNKNOWN if going_on or flow.pending is None else None
        if flow.up is None and flow.down is None:
            return UNKNOWN
        pending = any(one is not None and protocol in one.pending for one in (flow.up, flow.down))
        return UNKNOWN if pending else None
