"""A policy read back in plain English: everything that changes what its box does, a sentence at a time.

What a list file or a long list holds is told by its first entries and their number.
"""

from __future__ import annotations

from middlebox.action import (
    Action,
    AnswerDns,
    AnswerHttp,
    AnswerIcmp,
    Drop,
    Hold,
    Inject,
    Log,
    Pass,
    Rewrite,
    Scope,
    Slow,
)
from middlebox.grammar.clock import offset_text
from middlebox.grammar.document import DAYS
from middlebox.grammar.headers import flags_text
from middlebox.grammar.problem import listed
from middlebox.grammar.units import share_text, time_text, times_text
from middlebox.packet import address_text
from middlebox.policy import Key, Memory, Policy, Rearm, Rule, Schedule, Start
from middlebox.saying.box import box_sentences
from middlebox.saying.forged import dns_text, draw_text, injector_text, packet_text, reaction_text
from middlebox.saying.match import match_text
from middlebox.saying.slowing import slowing_text

_KEYS = {
    Key.CLIENT: "from the same client",
    Key.SERVER: "to the same server",
    Key.TWO: "between the same client and server",
    Key.THREE: "from the same client to the same server and port",
    Key.FOUR: "with the same addresses and ports",
}
_REARM = {
    Rearm.NEVER: "nothing starts that time anew",
    Rearm.ON_TRIGGER: "a new match starts that time anew",
    Rearm.ON_PACKET: "any such packet starts that time anew",
}
_START = {
    Start.SYN: "from their first packet on",
    Start.ESTABLISHED: "from the client's first packet after its SYN on",
    Start.DATA: "from the client's first data on",
}


def sentences(policy: Policy) -> list[str]:
    """The policy, a sentence at a time: its purpose, its box, its rules."""
    said = [f"{policy.name}: {policy.about.rstrip('.')}." if policy.about else f"{policy.name}."]
    said += box_sentences(policy)
    if not policy.rules:
        said.append("It has no rules: everything passes.")
    for number, rule in enumerate(policy.rules, 1):
        said += _rule(number, rule, policy)
    if len(policy.rules) > 1:
        said.append("The first rule that matches decides.")
    return said


def _rule(number: int, rule: Rule, policy: Policy) -> list[str]:
    share = "" if rule.chance == 1 else f" (in {share_text(rule.chance)} of flows, drawn for each flow)"
    doing = _actions(rule.actions, policy)
    said = [f"Rule {number}, '{rule.name}': when {match_text(rule.match)}, it {doing}{share}."]
    if rule.threshold is not None:
        beyond = rule.threshold
        said.append(
            f"Rule '{rule.name}' spares {beyond.more_than} flows {_KEYS[beyond.per]} within "
            f"{time_text(beyond.within_ns)}, and acts on those beyond; flows that it acts on count too."
        )
    awake = _schedule(rule.when)
    if awake:
        slows = "; it lies on flows that match while it sleeps too, and slows them when it wakes" if rule.slows else ""
        said.append(f"Rule '{rule.name}' is awake only {awake}{slows}.")
    if rule.memory is not None:
        said.append(_memory(rule, rule.memory, policy))
    return said


def _memory(rule: Rule, memory: Memory, policy: Policy) -> str:
    time = "for ever" if memory.duration_ns is None else f"for {time_text(memory.duration_ns)}"
    after = "afterwards" if not memory.delay_ns else f"from {time_text(memory.delay_ns)} afterwards"
    actions = memory.actions or rule.actions
    doing = _actions(actions, policy, later=True)
    if actions == rule.actions and all(isinstance(action, Inject | AnswerHttp | AnswerIcmp) for action in actions):
        doing = "injects the same"
    share = "" if memory.coverage == 1 else f" (in {share_text(memory.coverage)} of them, drawn for each flow)"
    rearm = "" if memory.duration_ns is None else f"; {_REARM[memory.rearm]}"
    return (
        f"Rule '{rule.name}' remembers: {time} {after}, of flows {_KEYS[memory.key]}{share}, {_START[memory.start]}, "
        f"it {doing}{rearm}."
    )


def _schedule(when: Schedule) -> str:
    parts = []
    if when.windows:
        hours = [f"{_clock(window.begin_s)}-{_clock(window.end_s)}" for window in when.windows]
        parts.append(f"at {listed(hours)}")
    if when.days:
        parts.append(f"on {listed([DAYS[day] for day in sorted(when.days)])}")
    if parts:
        zone = "UTC" if not when.utc_offset_s else "UTC" + offset_text(when.utc_offset_s)
        night = when.days and any(window.begin_s > window.end_s for window in when.windows)
        parts[-1] += f" ({zone}{'; hours over midnight belong to the day on which they begin' if night else ''})"
    if when.phases:
        parts.append(f"in the phase {listed(sorted(when.phases))}")
    if when.cycle is not None:
        turns = when.cycle
        parts.append(
            f"for {time_text(turns.awake_ns)} of each {time_text(turns.awake_ns + turns.asleep_ns)}, those first"
        )
    return ", ".join(parts)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def _actions(actions: tuple[Action, ...], policy: Policy, *, later: bool = False) -> str:
    logs = [isinstance(action, Log) for action in actions]
    return ", and ".join(
        "writes it down" if log and not all(logs) else action_text(action, policy, later=later)
        for action, log in zip(actions, logs, strict=True)
    )


def action_text(action: Action, policy: Policy, *, later: bool = False) -> str:
    """What a rule does, as the end of "it ..."; `later`: as residual action, on flows after the one that matched."""
    if isinstance(action, Pass):
        return "lets the flow pass; no later rule is asked about it"
    if isinstance(action, Log):
        return "only writes it down, and later rules are still asked"
    if isinstance(action, Drop):
        return _drop(action, later)
    if isinstance(action, Inject):
        own = policy.ability.injectors
        return (
            f"injects {listed([injector_text(one, known=own.get(one.name) == one) for one in action.injectors], 'and')}"
        )
    if isinstance(action, Rewrite):
        return f"turns the server's packets into {flags_text(action.flags)}, payload stripped"
    if isinstance(action, AnswerDns):
        ours = policy.ability.dns_injectors
        return "answers: " + ", and: ".join(dns_text(one, known=ours.get(one.name) == one) for one in action.injectors)
    if isinstance(action, AnswerHttp):
        return _http(action)
    if isinstance(action, AnswerIcmp):
        return _icmp(action)
    if isinstance(action, Slow):
        return slowing_text(action)
    assert isinstance(action, Hold)
    return f"holds the packet back for {times_text(action.delay_ns)}"


def _drop(action: Drop, later: bool) -> str:
    if later:
        what = {Scope.TO_SERVER: "the client's packets", Scope.TO_CLIENT: "the server's packets"}
        return f"drops {what.get(action.scope, 'all packets')}"
    what = {
        Scope.PACKET: "the packet",
        Scope.FLOW: "the packet and all that follows in its flow, both ways",
        Scope.TO_SERVER: "the client's packets from here on",
        Scope.TO_CLIENT: "the server's packets from here on",
    }
    if action.after is None:
        return f"drops {what[action.scope]}"
    count = f"{action.after.low}" if action.after.fixed else f"{action.after.low} to {action.after.high}"
    rest = {Scope.TO_SERVER: "the client's packets", Scope.TO_CLIENT: "the server's packets"}
    return f"lets {count} more packets of the flow pass, then drops {rest.get(action.scope, 'all of it, both ways')}"


def _http(action: AnswerHttp) -> str:
    head, _, body = action.response.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = lines[0].removeprefix("HTTP/1.1 ")
    headers = [line for line in lines[1:] if line.partition(":")[0].lower() not in ("content-length", "connection")]
    carried = f" with {listed(headers, 'and')}" if headers else ""
    page = f" and a body of {len(body)} bytes" if body else " and no body"
    close = f"the last segment carries {flags_text(action.injector.flags)}"
    return (
        f"answers the client with HTTP {status}{carried}{page} in the server's name ({close}; "
        f"{packet_text(action.injector)}{reaction_text(action.injector.reaction_ns)})"
    )


def _icmp(action: AnswerIcmp) -> str:
    source = "the packet's destination" if action.source is None else address_text(action.source)
    return (
        f"tells the sender by ICMP, from {source}, that the {action.code.name.lower()} cannot be reached "
        f"(TTL {draw_text(action.ttl)})"
    ).replace("the admin cannot be reached", "destination is administratively prohibited")
