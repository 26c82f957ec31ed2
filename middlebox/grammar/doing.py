"""The words of `action:`: what a rule does. They become the values of `action`.

What a box is unable to do is refused here, at the action's own place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from middlebox.ability import Injector, Placement, fixed
from middlebox.action import (
    Action,
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
from middlebox.effect import mostly_useless, useless
from middlebox.forge import Unreachable
from middlebox.grammar.box import TTL
from middlebox.grammar.collection import ListOf, Record, key
from middlebox.grammar.headers import ADDRESS, FLAGS
from middlebox.grammar.injecting import DnsAnswering, HttpAnswering, Injecting
from middlebox.grammar.problem import listed, near
from middlebox.grammar.shape import Context, Forms, Leaf, Refused, Schema, Shape, become, words
from middlebox.grammar.slowing import SLOWINGS
from middlebox.grammar.source import Node, Scalar, Sequence
from middlebox.grammar.units import PACKETS, TIMES
from middlebox.packet import ACK, FIN, RST
from middlebox.policy import Rule

SCOPES: Leaf[Scope] = words({scope.value: scope for scope in Scope})

_DROP: Record[Drop] = Record(
    "drop",
    (
        key("what", SCOPES, "packet: the one that matched; flow: it and all that follow; or one direction", "scope"),
        key("after", PACKETS, "packets of the flow, either way, that still pass after the trigger (which passes too)"),
    ),
    Drop,
)


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
    "reset": (Injecting("reset", RST | ACK), "forge TCP segments that reset the connection"),
    "fin": (Injecting("fin", FIN | ACK), "forge TCP segments that close the connection"),
    "rewrite": (
        Forms(
            scalar=become(FLAGS, lambda flags: Rewrite(flags=flags)),
            mapping=Record("rewrite", (key("flags", FLAGS, "TCP flags"),), _rewrite, defaults={"flags": RST | ACK}),
        ),
        "turn the server's later packets into RST+ACK (or other flags), payload stripped",
    ),
    "dns": (DnsAnswering(), "answer a DNS query in the resolver's name"),
    "http": (HttpAnswering(), "answer an HTTP request in the server's name, and close: a block page or a redirect"),
    "icmp": (_ICMP, "tell the sender that the destination cannot be reached"),
    "hold": (become(TIMES, lambda draw: Hold(delay_ns=draw)), "forward the packet later: 200 ms, or 100-300 ms"),
    **SLOWINGS,
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


def refuse_useless(rule: Rule, written: Node, context: Context) -> None:
    """Refuse actions that can never have an effect on what the rule matches; warn of those that hardly ever do."""
    places = [item.place for item in (written.items if isinstance(written, Sequence) else (written,))]
    in_path = context.ability.placement is Placement.IN_PATH
    instead = listed([*(["drop"] if in_path else []), *(["dns"] if "dns" in rule.asks else []), "icmp"])
    later = rule.memory is not None and not rule.memory.actions
    good = True
    for action, place in zip(rule.actions, places, strict=True):
        why = useless(rule.match, action)
        if why is not None and later:
            found = f"'{action.word}' in a rule whose own flows it leaves alone"
            context.warn(place, found, "", f"{why}; only later flows that the memory meets may be TCP")
        elif why is not None:
            context.refuse(place, f"'{action.word}', which can never have an effect here", instead, why)
            good = False
    if not good:
        raise Refused
    idle = mostly_useless(rule.match, rule.actions)
    if idle is not None:
        found = f"'{idle.word}' for DNS, which most clients ask over UDP"
        hint = f"'{idle.word}' acts on TCP alone; if that is meant, add 'transport: tcp' to the match"
        context.warn(places[rule.actions.index(idle)], found, instead, hint)


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
