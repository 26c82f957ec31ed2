"""Hands each flow's payload to the dissectors that the policy asks about, as far as the box looks into a flow.

Only what rules mention is read. A dissector that needs more bytes is asked again when they have come; one that says
"not mine" is not asked again. What the facts mean, the rules say.
"""

from __future__ import annotations

from typing import Final

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import ENDLESS, FOUND, NEED_MORE, Dissector, Reading, Reads
from middlebox.flow import Flow, Progress
from middlebox.packet import TCP, UDP, PacketView
from middlebox.policy import Policy
from middlebox.stream import Stream
from middlebox.verdict import TO_CLIENT, TO_SERVER, Direction

#: messages that are read from one packet's bytes: more than fit into it with any sense
MAX_MESSAGES: Final = 64


class Reader:
    """The dissectors of one policy."""

    __slots__ = (
        *("_ability", "_alone", "_handshake", "_max_bytes", "_max_packets", "_names", "_reads_down", "_reads_up"),
        *("_stranger", "_window", "on_tcp", "on_udp", "reads"),
    )

    def __init__(self, policy: Policy) -> None:
        self._ability = policy.ability
        self._reads_up = TO_SERVER in policy.ability.inspect.directions
        self._reads_down = TO_CLIENT in policy.ability.inspect.directions
        self._max_packets = policy.ability.inspect.packets
        self._max_bytes = policy.ability.inspect.bytes
        self._stranger = policy.ability.inspect.stranger
        self._window = policy.ability.reassembly.window
        self._handshake = policy.ability.tcp.handshake
        self._alone = not policy.ability.reassembly.segments  # each segment is read for itself, whatever came before
        able = policy.ability.reassembly
        self.reads = Reads(records=able.records, quic_frames=able.quic_frames, quic_datagrams=able.quic_datagrams)
        wanted: frozenset[str] = frozenset().union(*(rule.asks for rule in policy.rules))
        every = [DISSECTORS[name] for name in sorted(DISSECTORS)]
        # a box that gives up on strangers must recognise all that it knows, not only what its rules ask about
        strict = policy.ability.inspect.stranger > 0
        self.on_tcp = tuple(
            d.name for d in every if "tcp" in d.transports and (d.name in wanted or (strict and d.claims))
        )
        self.on_udp = tuple(d.name for d in every if "udp" in d.transports and d.name in wanted)
        self._names = frozenset(self.on_tcp + self.on_udp)  # an earlier policy may have asked a flow for others

    def finished(self, flow: Flow) -> bool:
        """True if no further payload of this flow can tell a fact."""
        if flow.stopped:
            return True
        if flow.proto == UDP:
            return not self.on_udp if flow.pending is None else self._names.isdisjoint(flow.pending)
        if flow.proto != TCP or not self.on_tcp:
            return True
        if self._alone:
            return False
        if self._reads_up and (flow.up is None or not self._names.isdisjoint(flow.up.pending)):
            return False
        return not (self._reads_down and (flow.down is None or not self._names.isdisjoint(flow.down.pending)))

    def ignores(self, protocol: str, flow: Flow) -> bool:
        """True if no further payload of this flow can be read as this protocol."""
        if flow.stopped:
            return True
        if flow.proto == UDP:
            return protocol not in (self.on_udp if flow.pending is None else flow.pending)
        if flow.proto != TCP or protocol not in self.on_tcp:
            return True
        if self._alone or self._stranger:
            return False
        if self._reads_up and (flow.up is None or protocol in flow.up.pending):
            return False
        return not (self._reads_down and (flow.down is None or protocol in flow.down.pending))

    def _wants(self, direction: Direction) -> bool:
        """True if the box reads what goes this way."""
        return self._reads_up if direction is TO_SERVER else self._reads_down

    def read(self, flow: Flow, seen: PacketView, direction: Direction) -> tuple[bool, str]:
        """Read one packet's payload; say whether rules must be asked again, and what was learned."""
        limit = self._max_packets
        if limit and flow.payloads > limit:
            if self.finished(flow):  # what has been told already is not told again
                return False, ""
            return self.stop(flow, f"this box reads {limit} packets of a flow and no more")
        if flow.proto == UDP:
            return self._datagram(flow, seen, direction)
        if flow.proto != TCP:
            return False, ""
        progress = flow.up if direction is TO_SERVER else flow.down
        if progress is None:
            return False, ""
        if self._alone and self._wants(direction):
            progress.pending, progress.need = self.on_tcp, 1
            flow.forget_messages()
        if not progress.pending:
            progress.skip(seen.seq, seen.payload_len, self._window)
            return False, ""
        if not flow.handshake_is(self._handshake):
            return False, "not read: this box has not seen enough of the handshake"
        return self._segment(flow, progress, seen, direction)

    def stop(self, flow: Flow, why: str) -> tuple[bool, str]:
        """Read no more of this flow."""
        flow.stop()
        return True, why

    def _take(self, dissector: Dissector, flow: Flow, data: bytes, transport: str, direction: Direction) -> Reading:
        """Ask one dissector, by its follower of this flow if it follows conversations."""
        following = flow.following
        if following is not None and dissector.name in following:
            return following[dissector.name].take(data, direction)
        follower = dissector.follow(transport, self.reads)
        if follower is None:
            return dissector.read(data, transport, self.reads)
        if flow.following is None:
            flow.following = {}
        flow.following[dissector.name] = follower
        return follower.take(data, direction)

    def _datagram(self, flow: Flow, seen: PacketView, direction: Direction) -> tuple[bool, str]:
        """Read one datagram. Who claims it has the flow; a dissector of conversations goes until it has no more to say.

        Of the dissectors of messages those that repeat are asked about each datagram, and the others about the first.
        """
        asked = self.on_udp if flow.pending is None else flow.pending
        if not asked or not self._wants(direction):
            return False, ""
        flow.forget_messages()
        data = seen.payload
        left: list[str] = []
        words: list[str] = []
        for name in asked:
            dissector = DISSECTORS[name]
            found = self._take(dissector, flow, data, "udp", direction)
            follows = flow.following is not None and name in flow.following
            goes_on = found.state is NEED_MORE if follows else dissector.repeats
            if found.state is FOUND and found.fact is not None:
                flow.tell(name, found.fact)
                words.append(name)
                goes_on = found.consumed < ENDLESS if follows else dissector.repeats
                if dissector.claims:
                    left = [name] if goes_on else []
                    break
            if goes_on:
                left.append(name)
        flow.pending = asked if len(left) == len(asked) else tuple(left)
        flow.unfollow(flow.pending)
        return True, f"read as {' and '.join(words)}" if words else "read as no protocol that the rules ask about"

    def _segment(self, flow: Flow, progress: Progress, seen: PacketView, direction: Direction) -> tuple[bool, str]:
        stream = progress.stream
        if stream is None:
            able = self._ability
            stream = progress.stream = Stream(progress.expected, able.reassembly, able.tcp.sequence)
        first = stream.taken == 0
        if not stream.add(seen.seq, seen.payload):
            if stream.broken:
                progress.close()
                return True, "gave up on this direction: its bytes disagree, or outgrew the buffer"
            return False, "waits behind a hole" if stream.waiting else "nothing new in this segment"
        size = self._max_bytes
        if size and stream.taken > size:
            return self.stop(flow, f"this box reads {size} bytes of a direction and no more")
        if len(stream.data) < progress.need:
            return False, f"{len(stream.data)} bytes so far, {progress.need} needed"
        changed, said = self._message(flow, progress, stream, direction)
        stranger = self._stranger
        if stranger and not progress.pending and not any(DISSECTORS[name].claims for name in flow.facts):
            if first and seen.payload_len >= stranger:
                return self.stop(flow, f"a first payload of {seen.payload_len} bytes that no dissector knows")
            progress.pending, progress.need = self.on_tcp, 1  # a short one does not end its interest
        if not progress.pending and not self._alone:
            progress.close()
        return changed, said

    def _message(self, flow: Flow, progress: Progress, stream: Stream, direction: Direction) -> tuple[bool, str]:
        """Ask the pending dissectors for the next message; the one that finds its own has the flow to itself."""
        data = bytes(stream.data)
        pending: list[str] = []
        need = 0
        told = ""
        for name in progress.pending:
            dissector = DISSECTORS[name]
            found = self._take(dissector, flow, data, "tcp", direction)
            if found.state is NEED_MORE:
                pending.append(name)
                need = min(need or found.need, found.need)
            elif found.state is FOUND and found.fact is not None:
                flow.tell(name, found.fact)
                told = f"read as {name}"
                if dissector.claims:
                    self._claim(dissector, flow, progress, stream, direction, found.consumed)
                    return True, told
        changed = bool(told) or len(pending) < len(progress.pending)
        progress.pending = tuple(pending)
        progress.need = max(need, 1)
        if not pending or self._alone:
            stream.data.clear()
        if told or not pending:
            return changed, told or "read as no protocol that the rules ask about"
        return changed, f"{len(data)} bytes so far, {need} needed"

    def _claim(
        self,
        dissector: Dissector,
        flow: Flow,
        progress: Progress,
        stream: Stream,
        direction: Direction,
        consumed: int,
    ) -> None:
        """From here on the flow belongs to one dissector."""
        name = dissector.name
        follows = flow.following is not None and name in flow.following
        goes_on = consumed < ENDLESS if follows else dissector.repeats
        progress.need = 1
        progress.pending = (name,) if goes_on else ()
        if goes_on:
            stream.consume(consumed)
        else:
            stream.data.clear()
        if follows:
            other = flow.progress(direction.reverse)
            if other is not None and other.pending:
                other.pending = (name,) if goes_on else ()
            flow.unfollow(progress.pending)

    def again(self, flow: Flow, direction: Direction) -> tuple[bool, str]:
        """Read the next message that came with the same packet (pipelining); False if there is none."""
        progress = flow.progress(direction)
        if progress is None or progress.stream is None or not progress.pending:
            return False, ""
        if not progress.stream.data or len(progress.stream.data) < progress.need:
            return False, ""
        return self._message(flow, progress, progress.stream, direction)
