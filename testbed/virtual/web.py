"""A page over HTTPS in virtual time: by Python's hello, without SNI, and by a browser's recorded hello.

What counts as the page is what counts in a lab (`testbed.workloads.web`): anything else is `blocked`.
"""

from __future__ import annotations

from functools import partial

from testbed.pages import wrong_page
from testbed.result import Outcome
from testbed.simulate.fetch import Fetched
from testbed.virtual.asking import Ask, Asking, rounded
from testbed.workload import Observation, no_result
from testbed.workloads.web import BROWSER, came_out


def web(ask: Ask) -> Asking:
    """A page, as curl asks for it."""
    return (yield from _fetch(ask))


def without_sni(ask: Ask) -> Asking:
    """A page by its address; the name is said inside TLS only."""
    address = next(one for one in ask.truth[ask.target.host] if (":" in one) == (ask.target.family == 6))
    return (yield from _fetch(ask, address=address))


def browser(ask: Ask) -> Asking:
    """A page, as Chrome asks for it."""
    return (yield from _fetch(ask, hello=BROWSER))


def _fetch(ask: Ask, *, address: str = "", hello: str = "") -> Asking:
    browser = ask.lab.browser_of(ask.subscriber)
    way = partial(
        browser.fetch,
        ask.target.host,
        family=ask.target.family,
        limit_s=ask.limit_s,
        source=ask.sources,
        through=ask.dialler,
        resolving=ask.resolving,
    )
    done: Fetched = yield from way(address=address, sni=not address, hello=hello)
    seen = observe(ask.target.host, done)
    if ask.via is None or seen.outcome is not Outcome.OK:
        return seen
    asked: Fetched = yield from way(path="/where")
    if asked.failure:
        return no_result(f"the page came, but where it came out could not be asked ({asked.failure})")
    return came_out(seen, asked.body.decode(errors="replace").strip(), ask.via.exit)


def observe(host: str, done: Fetched) -> Observation:
    """What came of a fetch, as what was seen."""
    if done.failure:
        return Observation(
            outcome=Outcome.BLOCKED,
            failure=done.failure,
            seconds=rounded(done.seconds),
            connect_s=rounded(done.connected_s),
            tls_s=rounded(done.secured_s),
            note=done.note,
        )
    text = done.body.decode(errors="replace")
    wrong = wrong_page(host, done.status, text)
    return Observation(
        outcome=Outcome.BLOCKED if wrong else Outcome.OK,
        failure=wrong,
        seconds=rounded(done.seconds),
        time_to_first_byte=rounded(done.first_byte_s),
        goodput=len(done.body) * 8 / done.seconds,
        bytes=len(done.body),
        connect_s=rounded(done.connected_s),
        tls_s=rounded(done.secured_s),
        note=f"from {done.address}: {text[:120]!r}" if wrong else "",
    )
