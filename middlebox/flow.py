"""A flow as a box knows it: who began it, how far its handshake is, what has been read of it, and what it now suffers.

The table of all flows is `flows`; what makes, moves and ends a TCP connection, `believing` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from middlebox.ability import Handshake
from middlebox.action import Drop, Pass, Rewrite
from middlebox.dissect.base import Fact, Follower
from middlebox.packet import ACK, ICMP, ICMPV6, SYN, TCP, UDP, PacketView, address_text, ends_of
from middlebox.policy import Rule
from middlebox.stream import Stream, distance
from middlebox.verdict import TO_CLIENT, TO_SERVER, Direction, Named

if TYPE_CHECKING:
    from middlebox.slowing import Lying

#: names of the transport protocols in flow texts; others are written as "ip-NUMBER"
_NAMES: Final = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmp"}
#: ports below this belong to servers, when nothing else tells who is the client
_WELL_KNOWN: Final = 1024


#: the facts of most flows, all their lives but for one packet; shared, and never written to
NOTHING: Final[dict[str, Fact]] = {}


def transport_name(proto: int) -> str:
    return _NAMES.get(proto) or f"ip-{proto}"


def _end(address: bytes, port: int, has_ports: bool) -> str:
    text = address_text(address)
    if not has_ports:
        return text
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"


def flow_text(proto: int, client: bytes, client_port: int, server: bytes, server_port: int) -> str:
    """ "tcp 10.0.0.1:40000>203.0.113.5:443", initiator first."""
    ports = proto in (TCP, UDP)
    return f"{transport_name(proto)} {_end(client, client_port, ports)}>{_end(server, server_port, ports)}"


def looks_like_an_answer(view: PacketView) -> bool:
    """Guess, for a packet whose flow's beginning was not seen, that it comes from the server."""
    if view.proto == TCP and view.flags & SYN:
        return bool(view.flags & ACK)
    return view.src_port < view.dst_port and view.src_port < _WELL_KNOWN and view.src_port != 0


class _Dropping:
    """A drop in force on a flow."""

    __slots__ = ("directions", "from_ns", "packets_left", "rule")

    def __init__(self, rule: Rule, directions: frozenset[Direction], from_ns: int, packets_left: int) -> None:
        self.rule = rule
        self.directions = directions
        self.from_ns = from_ns
        self.packets_left = packets_left  # packets that still pass

    def all_from(self, now_ns: int) -> bool:
        """True if it takes everything from now on, and not only some packets later or one way."""
        return self.from_ns <= now_ns and not self.packets_left and len(self.directions) == len(Direction)

    def under(self, rule: Rule | None) -> _Dropping | None:
        """As it goes on under another policy's rule of the same name; None if that does not drop."""
        if rule is None or not any(isinstance(action, Drop) for action in rule.actions):
            return None
        self.rule = rule
        return self


class _Rewriting:
    """The server's packets become resets."""

    __slots__ = ("flags", "from_ns", "rule")

    def __init__(self, rule: Rule, flags: int, from_ns: int) -> None:
        self.rule = rule
        self.flags = flags
        self.from_ns = from_ns

    def under(self, rule: Rule | None) -> _Rewriting | None:
        """As it goes on under another policy's rule of the same name; None if that does not rewrite."""
        if rule is None or not any(isinstance(action, Rewrite) for action in rule.actions):
            return None
        self.rule = rule
        return self


class Progress:
    """What the dissectors have made of one direction of a TCP flow."""

    __slots__ = ("expected", "need", "pending", "stream")

    def __init__(self, pending: tuple[str, ...], expected: int) -> None:
        self.pending = pending  #: the dissectors that still want bytes
        self.need = 1  #: bytes below which asking again is useless
        self.expected = expected  #: the next sequence number, while there is no stream
        self.stream: Stream | None = None  #: there is one from the first byte that is read until nothing is read more

    @property
    def sequence(self) -> int:
        """The sequence number that the box expects next."""
        return self.expected if self.stream is None else self.stream.expected

    def move(self, expected: int) -> None:
        """Believe a new sequence number: what has come so far is forgotten."""
        self.need = 1
        self.expected = expected
        if self.stream is not None:
            self.stream.move(expected)

    def close(self) -> None:
        """Read no more of this direction; its bytes are let go."""
        self.expected = self.sequence
        self.stream = None
        self.pending = ()

    def skip(self, seq: int, length: int, window: int) -> None:
        """Follow the sequence number past bytes that nobody reads; holes do not matter then."""
        if 0 < distance(seq + length, self.expected) <= window:
            self.expected = (seq + length) & 0xFFFF_FFFF


class Flow(Named):
    """One flow as the box believes it to be."""

    __slots__ = (
        "_text",
        "acked",
        "closing",
        "counted",
        "down",
        "dropping",
        "facts",
        "following",
        "foreseen",
        "gone",
        "key",
        "last_ns",
        "met",
        "packets",
        "passed",
        "payloads",
        "pending",
        "picked_up",
        "proto",
        "queued",
        "resynchronising",
        "rewriting",
        "settled",
        "slowed",
        "stopped",
        *("syn", "syn_ack", "up", "weighed"),
    )

    def __init__(self, proto: int, key: bytes) -> None:
        self.proto = proto
        self.key = key  #: that of the client's packets
        self.queued = 0  #: how often it stands in the table's queue
        self.last_ns = 0
        self.packets = 0
        self.payloads = 0  #: packets with payload
        self.syn = self.syn_ack = self.acked = False  #: how far the handshake was seen
        self.picked_up = False  #: known from its middle on
        self.closing = False  #: a FIN or RST was seen, believed or not
        self.resynchronising = False  #: the next segment's sequence number will be believed
        self.counted = 0  #: what the table has counted of `held`
        self.gone = False  #: the table has forgotten it
        self.stopped = False  #: nothing more is read
        self.settled = False  #: no rule can match any more
        self.foreseen = False  #: and that before all was read that is asked of it
        self.passed: Rule | None = None  #: a rule let it go
        self.facts = NOTHING  #: what was told, by protocol
        self.following: dict[str, Follower] | None = None  #: what dissectors of conversations keep of it
        self.pending: tuple[str, ...] | None = None  #: of UDP: the dissectors that are still asked; None: all
        self.up: Progress | None = None  #: of the client's bytes
        self.down: Progress | None = None  #: of the server's bytes
        self.dropping: _Dropping | None = None
        self.rewriting: _Rewriting | None = None
        self.slowed: tuple[Lying, ...] = ()  #: what makes it slower, in the order in which packets meet it
        self.weighed: tuple[Lying, ...] = ()  #: what of that its settling was last asked with
        self.met: tuple[str, ...] = ()  #: rules with a threshold that have counted it
        self._text = ""

    @property
    def text(self) -> str:
        """ "tcp 10.0.0.1:40000>203.0.113.5:443", the client first; made when somebody asks."""
        if not self._text:
            self._text = flow_text(self.proto, *self.ends)
        return self._text

    @property
    def free(self) -> bool:
        """True if nothing lies on it."""
        return self.dropping is None and self.rewriting is None and not self.slowed

    @property
    def ends(self) -> tuple[bytes, int, bytes, int]:
        """The client and its port, the server and its port."""
        return ends_of(self.key)

    def direction(self, view: PacketView) -> Direction:
        return TO_SERVER if view.key == self.key else TO_CLIENT

    @property
    def held(self) -> int:
        """Bytes of memory for what has come and has not been read."""
        held = 0
        up, down = self.up, self.down
        if up is not None and up.stream is not None:
            held = up.stream.held
        if down is not None and down.stream is not None:
            held += down.stream.held
        if self.following is not None:
            held += sum(follower.held for follower in self.following.values())
        return held

    def progress(self, direction: Direction) -> Progress | None:
        return self.up if direction is TO_SERVER else self.down

    def stop(self) -> None:
        """Nothing more of this flow is read, and what was kept for reading is let go."""
        self.stopped = True
        self.following = None
        for progress in (self.up, self.down):
            if progress is not None:
                progress.close()

    def tell(self, protocol: str, fact: Fact) -> None:
        """A dissector has learned something."""
        if self.facts is NOTHING:
            self.facts = {}
        self.facts[protocol] = fact

    def forget_messages(self) -> None:
        """Forget the facts of single messages; those of conversations stay as long as they are followed."""
        following = self.following
        if following is None:
            self.facts = NOTHING
        else:
            for name in [name for name in self.facts if name not in following]:
                del self.facts[name]

    def unfollow(self, kept: tuple[str, ...]) -> None:
        """Let go of what is kept for dissectors other than these; a fact that was told stays."""
        following = self.following
        if following is not None:
            for name in [name for name in following if name not in kept]:
                del following[name]
            if not following:
                self.following = None

    def handshake_is(self, wanted: Handshake) -> bool:
        """True if as much of the handshake was seen as the box wants."""
        if self.picked_up or wanted is Handshake.NONE:
            return True
        if wanted is Handshake.SYN:
            return self.syn
        if wanted is Handshake.SYN_ACK:
            return self.syn and self.syn_ack
        return self.syn and self.syn_ack and self.acked

    def suffers(self, rule: Rule) -> bool:
        """True if this rule's drop, rewriting or slowing has been put on the flow."""
        return (self.dropping is not None and self.dropping.rule is rule) or (
            (self.rewriting is not None and self.rewriting.rule is rule)
            or any(lying.rule is rule for lying in self.slowed)
        )

    def carry(self, rules: Mapping[str, Rule]) -> None:
        """Go on under another policy: what lies on the flow stays if a rule of that name still does it."""
        if self.dropping is not None:
            self.dropping = self.dropping.under(rules.get(self.dropping.rule.name))
        if self.rewriting is not None:
            self.rewriting = self.rewriting.under(rules.get(self.rewriting.rule.name))
        if self.slowed:
            carried = [lying.under(rules.get(lying.rule.name)) for lying in self.slowed]
            self.slowed = tuple(lying for lying in carried if lying is not None)
        if self.passed is not None:
            rule = rules.get(self.passed.name)
            self.passed = rule if rule is not None and any(isinstance(one, Pass) for one in rule.actions) else None
        self.settled = self.foreseen = False

    def drop_from(self, rule: Rule, directions: frozenset[Direction], from_ns: int, packets_left: int) -> None:
        if self.dropping is None:
            self.dropping = _Dropping(rule, directions, from_ns, packets_left)

    def rewrite_from(self, rule: Rule, flags: int, from_ns: int) -> None:
        if self.rewriting is None:
            self.rewriting = _Rewriting(rule, flags, from_ns)
