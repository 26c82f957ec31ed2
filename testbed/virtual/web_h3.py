"""A page over HTTP/3 in virtual time, by aioquic; what counts as the page is what counts in a lab."""

from __future__ import annotations

from functools import partial

from testbed.result import Outcome
from testbed.simulate.certificates import authority_pem
from testbed.simulate.chance import stream
from testbed.simulate.fetch import Fetched
from testbed.virtual.asking import Ask, Asking
from testbed.virtual.web import observe
from testbed.workload import no_result
from testbed.workloads.web import came_out


def web_h3(ask: Ask) -> Asking:
    """A page, as a client of HTTP/3 asks for it."""
    from testbed.simulate.quic.fetch import fetch  # takes a third of a second

    lab = ask.lab
    # datagrams know no proxies, and go past them: then the exit is wrong, and there is no result
    inner = lab.host(ask.subscriber) if ask.via is None or ask.via.proxy else ask.resolving
    way = partial(
        fetch,
        inner,
        lab.resolver,
        authority_pem(),
        ask.target.host,
        random=stream(lab.seed, f"quic {ask.source} {lab.clock.now_ns}"),
        family=ask.target.family,
        limit_s=ask.limit_s,
        source=ask.sources[ask.target.family == 6],
    )
    done: Fetched = yield from way()
    seen = observe(ask.target.host, done)
    if ask.via is None or seen.outcome is not Outcome.OK:
        return seen
    asked: Fetched = yield from way(path="/where")
    if asked.failure:
        return no_result("the page came, but where it came out could not be asked")
    return came_out(seen, asked.body.decode(errors="replace").strip(), ask.via.exit)
