"""Which TCP a box believes: the segments that make, move and end its idea of a connection.

Exactly those that the policy's `box:` names; endpoints may well disagree, and evasions live on that.
"""

from __future__ import annotations

from middlebox.ability import Ability, EndCheck, EndEffect, Header, Segment, Sequence, Tcp
from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.flow import Flow, Progress, looks_like_an_answer
from middlebox.flows import FlowTable
from middlebox.packet import ACK, FIN, RST, SYN, TCP, PacketView
from middlebox.stream import distance
from middlebox.verdict import TO_CLIENT, TO_SERVER, Direction


def _begins(view: PacketView) -> int:
    """The sequence number of the first byte that a segment may carry (RFC 9293, 3.4: SYN takes a number)."""
    return (view.seq + 1) & 0xFFFF_FFFF if view.flags & SYN else view.seq


def segment_of(view: PacketView) -> Segment:
    """The kind of a TCP segment."""
    flags = view.flags
    if flags & RST:
        return Segment.RST_ACK if flags & ACK else Segment.RST
    if flags & SYN:
        return Segment.SYN_ACK if flags & ACK else Segment.SYN
    if flags & FIN:
        return Segment.FIN
    return Segment.DATA if view.payload_len else Segment.ACK


class Doubting:
    """Which packets a box takes for what they say they are."""

    __slots__ = ("_ability", "credulous")

    def __init__(self, ability: Ability) -> None:
        self._ability = ability
        #: it checks nothing but the header's shape: most packets need no further look
        self.credulous = (
            ability.minimum_ttl == 0
            and ability.extension_headers
            and not ability.verify_checksums
            and ability.tcp.header is not Header.PLAIN
        )

    def doubt(self, view: PacketView) -> str:
        """Why the box neither reads this packet nor lets it move its state; "" if it does."""
        if self.credulous and not view.malformed:
            return ""
        able = self._ability
        if view.ttl < able.minimum_ttl:
            return f"its TTL of {view.ttl} is below {able.minimum_ttl}"
        if view.extension_headers and not able.extension_headers:
            return "this box does not walk IPv6 extension headers"
        if view.proto == TCP and not self._reads_header(view):
            return f"this box does not read a TCP header of {view.data_offset} bytes"
        if able.verify_checksums and not (ipv4_header_ok(view) and transport_ok(view)):
            return "a checksum is wrong"
        return ""

    def _reads_header(self, view: PacketView) -> bool:
        header = self._ability.tcp.header
        if header is Header.ANY:
            return True
        return not view.malformed and (header is not Header.PLAIN or view.data_offset == 20)


class TcpBelief:
    """Moves TCP flows by the segments that the box believes."""

    __slots__ = ("_moves", "_readers", "_reads_down", "_reads_up", "_table", "_tcp", "ends_all")

    def __init__(self, ability: Ability, table: FlowTable, readers: tuple[str, ...]) -> None:
        self._tcp: Tcp = ability.tcp
        self._table = table
        self._moves = bool(ability.tcp.resynchronise)
        self._reads_up = TO_SERVER in ability.inspect.directions
        self._reads_down = TO_CLIENT in ability.inspect.directions
        #: a stranger's segment may end all connections
        self.ends_all = ability.tcp.end_check is EndCheck.NOTHING and ability.tcp.end_effect is not EndEffect.IGNORE
        self._readers = readers  # the dissectors that the policy wants on TCP

    def still(self, flow: Flow, view: PacketView) -> Flow | None:
        """The known flow of a segment with SYN; None if that begins a new connection instead.

        It does on a flow that was closing, and on one that has told all: a driver may have let the kernel pass its end.
        """
        if segment_of(view) is not Segment.SYN:
            return flow
        over = flow.closing or (flow.settled and flow.free and not flow.foreseen)
        if over and Segment.SYN in self._tcp.create:
            self._table.forget(flow)
            return None
        return flow

    def begin(self, view: PacketView, now_ns: int) -> Flow | None:
        """A flow for a packet that belongs to none, or None if this segment does not make one."""
        kind = segment_of(view)
        if kind in self._tcp.create:
            pass
        elif not (self._tcp.mid_stream and kind is Segment.DATA):
            return None
        flow = self._table.make(view, now_ns, from_server=looks_like_an_answer(view))
        flow.picked_up = kind is not Segment.SYN and kind is not Segment.SYN_ACK
        return flow

    def follow(self, flow: Flow, view: PacketView, direction: Direction) -> str:
        """Move the flow's state by a segment, before its payload is read; say what changed, "" for nothing."""
        flags = view.flags
        if direction is TO_SERVER:
            if flags & ACK:
                if flow.syn_ack:
                    flow.acked = True
            elif flags & (SYN | RST) == SYN:
                flow.syn = True
            progress = flow.up
            if progress is None:
                wanted = self._reads_up and not flow.stopped
                progress = flow.up = Progress(self._readers if wanted else (), _begins(view))
        else:
            if flags & (SYN | ACK | RST) == SYN | ACK:
                flow.syn_ack = True
            progress = flow.down
            if progress is None:
                wanted = self._reads_down and not flow.stopped
                progress = flow.down = Progress(self._readers if wanted else (), _begins(view))
        said = ""
        tcp = self._tcp
        awake = self._moves and (flow.resynchronising or tcp.end_effect is not EndEffect.RESYNCHRONISE)
        if awake and segment_of(view) in tcp.resynchronise:
            flow.resynchronising = False
            said = self._move(flow, view, direction, _begins(view))
        if flags & (FIN | RST):
            flow.closing = True
            if segment_of(view) in tcp.end or (flags & FIN and Segment.FIN in tcp.end):
                said = self._end(flow, view, progress) or said
        return said

    def _move(self, flow: Flow, view: PacketView, direction: Direction, begins: int) -> str:
        """Believe the segment's sequence number for its direction, and a SYN+ACK's acknowledgement for the other."""
        said = ""
        progress = flow.progress(direction)
        if progress is not None and progress.sequence != begins:
            if not (view.payload_len and distance(begins, progress.sequence) < 0):
                said = "resynchronised to this segment's sequence number"
            progress.move(begins)
        other = flow.progress(direction.reverse)
        acknowledges = view.flags & SYN and view.flags & ACK
        if acknowledges and other is not None and other.sequence != view.ack:
            said = "resynchronised to what this SYN+ACK acknowledges"
            other.move(view.ack)
        return said

    def _end(self, flow: Flow, view: PacketView, progress: Progress) -> str:
        tcp = self._tcp
        if tcp.end_effect is EndEffect.IGNORE:
            return ""
        if tcp.end_check is EndCheck.SEQUENCE and tcp.sequence is not Sequence.ANY:
            off = distance(view.seq, progress.sequence)
            if off != 0:
                return f"not believed: this end's sequence number is {off:+} bytes off the expected one"
        if tcp.end_effect is EndEffect.RESYNCHRONISE:
            flow.resynchronising = True
            return "the next segment's sequence number will be believed"
        self._table.forget(flow)
        return "forgot the connection"

    def end_all(self, view: PacketView) -> bool:
        """Under `end_check: nothing` a stranger's RST or FIN ends every connection of the box; True if it did."""
        if not self.ends_all:
            return False
        kind = segment_of(view)
        tcp = self._tcp
        if kind not in tcp.end and not (view.flags & FIN and Segment.FIN in tcp.end):
            return False
        for flow in self._table.all():
            if tcp.end_effect is EndEffect.RESYNCHRONISE:
                flow.resynchronising = True
            else:
                self._table.forget(flow)
        return True
