"""Makes the packets that an action injects, with the header values and at the times that its injectors say.

It decides nothing and keeps nothing; `censor` asks for emissions and hands them on.
"""

from __future__ import annotations

from collections.abc import Iterator

from middlebox import forge
from middlebox.ability import Ability, DnsInjector, Draw, Injector
from middlebox.action import AnswerDns, AnswerHttp, AnswerIcmp, Inject
from middlebox.chance import number, take
from middlebox.dissect.dns import DnsQuery
from middlebox.packet import ACK, FIN, RST, SYN, TCP, PacketView
from middlebox.verdict import Direction, Emission

#: bytes of a forged HTTP answer per segment: what fits a path with IPv6 and some tunnel on the way
_SEGMENT = 1_200
_MASK = 0xFFFF_FFFF
_TYPE_A, _TYPE_AAAA = 1, 28


class Trigger:
    """The packet that is answered, and what will become of it."""

    __slots__ = ("direction", "dropped", "flow", "now_ns", "rule", "view")

    def __init__(
        self, view: PacketView, direction: Direction, now_ns: int, *, flow: str, rule: str, dropped: bool
    ) -> None:
        self.view = view
        self.direction = direction
        self.now_ns = now_ns
        self.flow = flow
        self.rule = rule
        self.dropped = dropped  # the receiver will not get it


class Acting:
    """The forging hands of one box."""

    __slots__ = ("_ability", "_seed")

    def __init__(self, ability: Ability, seed: int) -> None:
        self._ability = ability
        self._seed = seed

    def draw(self, draw: Draw, trigger: Trigger, *words: str | int, mirrored: int = 0) -> int:
        """A number for one packet of one injector, the same in every run with this seed."""
        if draw.mirror:
            return mirrored
        if draw.low == draw.high:
            return draw.low
        return take(draw, self._seed, trigger.rule, trigger.flow, *words)

    def inject(self, action: Inject, trigger: Trigger) -> list[Emission]:
        """The segments of all injectors, in the order of their times."""
        made: list[Emission] = []
        for injector in action.injectors:
            start = self._start(injector.reaction_ns, trigger, injector.name)
            for toward in (Direction.TO_CLIENT, Direction.TO_SERVER):
                if toward in injector.toward:
                    made.extend(self._segments(injector, trigger, toward, start))
        made.sort(key=lambda emission: emission.at_ns)
        return made

    def _start(self, reaction: Draw | None, trigger: Trigger, name: str) -> int:
        return trigger.now_ns + self.draw(reaction or self._ability.reaction_ns, trigger, name, "reaction")

    def _segments(self, injector: Injector, trigger: Trigger, toward: Direction, start: int) -> Iterator[Emission]:
        count = 0
        for offset in injector.sequence:
            packet = self._segment(injector, trigger, toward, injector.flags, offset, injector.payload)
            for _ in range(injector.copies):
                yield Emission(
                    packet=packet,
                    at_ns=start + count * injector.gap_ns,
                    toward=toward,
                    injector=injector.name,
                    after_trigger=toward is trigger.direction and not trigger.dropped,
                )
                count += 1

    def _segment(
        self, injector: Injector, trigger: Trigger, toward: Direction, flags: int, offset: int, payload: bytes
    ) -> bytes:
        """One segment that fits the connection as the trigger shows it.

        Toward the trigger's sender: what it acknowledges is what it expects. Toward its receiver: what follows the
        trigger, or the trigger's own number if the receiver never gets it (RFC 9293, 3.10.7.4; RFC 5961, 3.2: a RST
        must carry exactly the expected number).
        """
        view = trigger.view
        length = view.payload_len + (1 if view.flags & SYN else 0) + (1 if view.flags & FIN else 0)
        if toward is trigger.direction:
            src, dst, sport, dport = view.src, view.dst, view.src_port, view.dst_port
            seq = view.seq if trigger.dropped else view.seq + length
            ack = view.ack
        else:
            src, dst, sport, dport = view.dst, view.src, view.dst_port, view.src_port
            seq = view.ack if view.flags & ACK else 0
            ack = view.seq + length
        if not injector.real_sequence:
            seq = ack = 0
        words = (injector.name, toward.value, offset)
        return forge.tcp(
            src=src,
            dst=dst,
            sport=sport,
            dport=dport,
            seq=(seq + offset) & _MASK,
            ack=ack & _MASK if flags & ACK else 0,
            flags=flags,
            window=self.draw(injector.window, trigger, *words, "window", mirrored=view.window),
            payload=payload,
            ttl=self.draw(injector.ttl, trigger, *words, "ttl", mirrored=view.ttl),
            ip_id=self.draw(injector.ip_id, trigger, *words, "id", mirrored=view.ip_id),
            df=injector.df,
        )

    def http(self, action: AnswerHttp, trigger: Trigger) -> list[Emission]:
        """The forged response to the client, cut into segments; the last one closes."""
        injector = action.injector
        start = self._start(injector.reaction_ns, trigger, injector.name)
        made: list[Emission] = []
        for at in range(0, len(action.response), _SEGMENT):
            part = action.response[at : at + _SEGMENT]
            last = at + _SEGMENT >= len(action.response)
            flags = injector.flags if last else injector.flags & ~(FIN | RST)
            packet = self._segment(injector, trigger, trigger.direction.reverse, flags, at, part)
            made.append(Emission(packet=packet, at_ns=start, toward=trigger.direction.reverse, injector=injector.name))
        return made

    def dns(self, action: AnswerDns, trigger: Trigger, query: DnsQuery) -> list[Emission]:
        """One forged answer from each injector that has something to say to this query."""
        made: list[Emission] = []
        for injector in action.injectors:
            message = self._answer(injector, trigger, query)
            if message is None:
                continue
            start = self._start(injector.reaction_ns, trigger, injector.name)
            packet = self._carry(injector, trigger, message)
            for copy in range(injector.copies):
                made.append(
                    Emission(
                        packet=packet,
                        at_ns=start + copy * injector.gap_ns,
                        toward=trigger.direction.reverse,
                        injector=injector.name,
                    )
                )
        made.sort(key=lambda emission: emission.at_ns)
        return made

    def _answer(self, injector: DnsInjector, trigger: Trigger, query: DnsQuery) -> bytes | None:
        pool = injector.a if query.qtype == _TYPE_A else injector.aaaa if query.qtype == _TYPE_AAAA else ()
        if not pool and not injector.rcode:
            return None
        chosen: tuple[bytes, ...] = ()
        if pool and not injector.rcode:
            index = number(self._seed, trigger.rule, trigger.flow, injector.name, query.id, query.name)
            chosen = (pool[index % len(pool)],)
        return forge.dns_answer(
            query.message,
            addresses=chosen,
            rcode=injector.rcode,
            answer_ttl=injector.answer_ttl,
            authoritative=injector.authoritative,
            flags=injector.flags,
        )

    def _carry(self, injector: DnsInjector, trigger: Trigger, message: bytes) -> bytes:
        view = trigger.view
        ttl = self.draw(injector.ttl, trigger, injector.name, "ttl", mirrored=view.ttl)
        ip_id = self.draw(injector.ip_id, trigger, injector.name, "id", mirrored=view.ip_id)
        if view.proto == TCP:
            shape = Injector(
                name=injector.name,
                flags=ACK | 0x08,  # PSH
                window=Draw(65_535, 65_535),
                ttl=Draw(ttl, ttl),
                ip_id=Draw(ip_id, ip_id),
                df=injector.df,
            )
            framed = len(message).to_bytes(2, "big") + message  # RFC 7766, 8
            return self._segment(shape, trigger, trigger.direction.reverse, shape.flags, 0, framed)
        return forge.udp(
            src=view.dst,
            dst=view.src,
            sport=view.dst_port,
            dport=view.src_port,
            payload=message,
            ttl=ttl,
            ip_id=ip_id,
            df=injector.df,
        )

    def icmp(self, action: AnswerIcmp, trigger: Trigger) -> list[Emission]:
        """The unreachable message to the packet's sender; none if the named source is of the other IP version."""
        view = trigger.view
        source = action.source if action.source is not None and len(action.source) == len(view.dst) else view.dst
        packet = forge.icmp_unreachable(
            view.raw, src=source, code=action.code, ttl=self.draw(action.ttl, trigger, "icmp", mirrored=view.ttl)
        )
        start = self._start(None, trigger, "icmp")
        return [Emission(packet=packet, at_ns=start, toward=trigger.direction.reverse, injector="icmp")]
