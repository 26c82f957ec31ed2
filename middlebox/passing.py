"""One packet on its way through the censor: what is known of it, and the decision that it leaves with."""

from __future__ import annotations

from typing import Final

from middlebox.flow import Flow, flow_text, looks_like_an_answer
from middlebox.packet import RST, TCP, PacketView
from middlebox.policy import Rule
from middlebox.verdict import TO_SERVER, Decision, Disposition, Emission, Named, Verdict

_PASS: Final = Verdict.PASS


class Passing(Named):
    """The packet at hand."""

    __slots__ = (
        "believed",
        "changed",
        "direction",
        "flow",
        "now_ns",
        "number",
        "raw",
        "read",
        "said",
        "view",
    )

    def __init__(self, number: int, now_ns: int, raw: bytes, view: PacketView, said: list[str] | None) -> None:
        self.number = number
        self.now_ns = now_ns
        self.raw = raw  #: as it came
        self.view = view  #: of the whole datagram, if this was the last of its fragments
        self.said = said  #: sentences for people; None: nobody listens
        self.direction = TO_SERVER
        self.flow: Flow | None = None
        self.believed = True  #: the box reads it and lets it move its state
        self.read = False  #: it has moved the flow's state, and its payload has been read
        self.changed = False  #: it told new facts, or that there are none

    @property
    def text(self) -> str:
        """The flow's text; of a packet without a flow, as it would be."""
        if self.flow is not None:
            return self.flow.text
        seen = self.view
        if looks_like_an_answer(seen):
            return flow_text(seen.proto, seen.dst, seen.dst_port, seen.src, seen.src_port)
        return flow_text(seen.proto, seen.src, seen.src_port, seen.dst, seen.dst_port)

    @property
    def rewritable(self) -> bool:
        """True for a whole TCP segment that is no reset already; what came in fragments stays as it is."""
        seen = self.view
        return seen.proto == TCP and not seen.malformed and not seen.flags & RST and seen.raw is self.raw

    def say(self, sentence: str) -> None:
        if self.said is not None:
            self.said.append(sentence)

    def passed(self, disposition: Disposition) -> Decision:
        """No rule has anything to say."""
        about: Named = self if self.flow is None else self.flow
        return Decision(self.number, self.now_ns, _PASS, about, "", "", "", (), None, 0, disposition)

    def decided(
        self,
        rule: Rule,
        action: str,
        reason: str,
        *,
        verdict: Verdict = Verdict.PASS,
        injected: list[Emission] | None = None,
        rewritten: bytes | None = None,
        release_ns: int = 0,
        disposition: Disposition = Disposition.INSPECT,
    ) -> Decision:
        """What a rule has done to it."""
        self.say(reason)
        return Decision(
            number=self.number,
            t_ns=self.now_ns,
            verdict=verdict,
            flow=self if self.flow is None else self.flow,
            rule=rule.name,
            action=action,
            reason=reason,
            injected=tuple(injected or ()),
            rewritten=rewritten,
            release_ns=release_ns,
            disposition=disposition,
        )
