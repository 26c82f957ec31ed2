"""A voice call in virtual time: the ends are those of the lab's programs, and so is what is said of it."""

from __future__ import annotations

from typing import Any

from testbed.calls.ends import PORT, Caller
from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS, Signal
from testbed.simulate.names import look_up
from testbed.virtual.asking import Ask, Asking, rounded
from testbed.workload import no_result
from testbed.workloads.call import SECONDS, observe


def call(ask: Ask) -> Asking:
    """`Target.seconds` of voice both ways."""
    if ask.via is not None and ask.via.proxy:
        return no_result(f"a call is made of datagrams, which {ask.target.tool} does not carry")
    clock, host = ask.lab.clock, ask.resolving
    begin_s = clock.elapsed_s
    random = stream(ask.lab.seed, f"call {ask.source} {clock.now_ns}")
    found = yield from look_up(
        host, ask.lab.resolver, ask.target.host, random=random, family=ask.target.family, limit_s=ask.limit_s
    )
    resolved_s = clock.elapsed_s - begin_s
    if found.failure:
        return observe(ask, {"ended": "resolve", "failure": found.failure, "seconds": round(resolved_s, 6)})
    socket = host.datagrams(address=ask.sources[ask.target.family == 6], remote=(found.addresses[0], PORT))
    changed = Signal(clock)
    caller = Caller(random, ask.target.seconds or SECONDS, ask.limit_s - resolved_s, clock.elapsed_s)

    def heard(data: bytes, _: tuple[str, int]) -> None:
        caller.take(data, clock.elapsed_s)
        changed.tell()

    socket.heard = heard
    while not caller.over:
        for data in caller.due(clock.elapsed_s):
            socket.send(data)
        if not caller.over:
            yield changed.next | clock.wait(max(1 / SECOND_NS, caller.next_s - clock.elapsed_s))
    report: dict[str, Any] = caller.told(clock.elapsed_s) | {"ended": "all", "reason": socket.said}
    socket.close()
    for name in ("connect_s", "first_voice_s"):
        if report.get(name) is not None:
            report[name] += resolved_s
    report["seconds"] = clock.elapsed_s - begin_s
    return observe(ask, {name: rounded(one) if isinstance(one, float) else one for name, one in report.items()})
