"""Whether several engines may share a box's work: what a policy keeps that is wider than two addresses.

Workers are told apart by the pair of addresses of a packet, whichever is first. So all packets between two hosts meet
in one engine, fragments and every protocol among them; what counts or remembers more than that would be torn apart.
Nothing here sees traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from middlebox.ability import EndCheck, EndEffect, Limits
from middlebox.action import Police, Shape, Share
from middlebox.policy import Key, Policy, Rule

_WIDE_KEYS = {Key.CLIENT: "by client address", Key.SERVER: "by server address"}
_WIDE_SHARES = {
    Share.CLIENT: "all flows of a client",
    Share.SERVER: "all flows to a server",
    Share.CLASS: "all flows of the rule",
}


def unsplittable(policy: Policy) -> str:
    """Why one engine must see all of a policy's packets: a sentence for people; "" if several can share them."""
    reasons = [*_of_the_box(policy), *(f"rule '{rule.name}' {why}" for rule in policy.rules for why in _of(rule))]
    if not reasons:
        return ""
    where = f" ({policy.path})" if policy.path is not None else ""
    return (
        f"policy '{policy.name}'{where} cannot be shared among workers, each of which sees only the pairs of hosts "
        f"that are its own: {'; '.join(reasons)}; use --workers 1"
    )


def _of_the_box(policy: Policy) -> Iterator[str]:
    tcp, usual = policy.ability.tcp, Limits()
    if tcp.end_check is EndCheck.NOTHING and tcp.end_effect is not EndEffect.IGNORE:
        yield "its box takes one connection's end for the end of all (box: end_check: nothing)"
    names = [one.name for one in fields(Limits)]
    lowered = [name for name in names if getattr(policy.ability.limits, name) != getattr(usual, name)]
    if lowered:
        yield f"its box has a memory that all flows share (box: limits: {', '.join(lowered)})"


def _of(rule: Rule) -> Iterator[str]:
    if rule.memory is not None and rule.memory.key in _WIDE_KEYS:
        yield f"remembers {_WIDE_KEYS[rule.memory.key]} (memory: key: {rule.memory.key.value})"
    if rule.threshold is not None and rule.threshold.per in _WIDE_KEYS:
        yield f"counts flows {_WIDE_KEYS[rule.threshold.per]} (threshold: per: {rule.threshold.per.value})"
    for action in (*rule.actions, *(rule.memory.actions if rule.memory is not None else ())):
        if isinstance(action, Police | Shape) and action.per in _WIDE_SHARES:
            yield f"has one rate for {_WIDE_SHARES[action.per]} ({action.word}: per: {action.per.value})"
