"""What do four ways of filtering by server name do to web pages, and whom do they hit besides?

It asks for pages and names as a browser's user would; it tries no circumvention.
"""

from __future__ import annotations

import sys

from testbed.scenario import Residual, Scenario
from testbed.workload import Target

BLOCKED = "blocked.example"
INNOCENT = "innocent.example"

SCENARIO = Scenario(
    name="sni-filtering",
    question="What do four ways of filtering by server name do to web pages, and whom do they hit besides?",
    about=(
        "One subscriber fetches pages from one server address that hosts a blocked and innocent names, first without "
        "a policy (control), then under each policy. Every attempt comes from a fresh address of the subscriber, so "
        "that residual censorship of one attempt cannot touch the next; residual censorship itself is measured "
        "apart, by asking for the blocked name once and for an innocent one on the same server after a wait."
    ),
    # the one with the longest memory first: its waiting runs beside the measurement of the others
    policies=("gfw-like", "sni-drop", "tspu-like", "dns-inject"),
    targets=(
        Target(
            name="blocked",
            about="the blocked name, by curl",
            host=BLOCKED,
            workload="web",
            listed=True,
        ),
        Target(
            name="subdomain",
            about="a name under the blocked one",
            host=f"www.{BLOCKED}",
            workload="web",
            listed=True,
        ),
        Target(
            name="blocked-browser",
            about="the blocked name, by Chrome's ClientHello, which spans two TCP segments",
            host=BLOCKED,
            workload="web-chrome",
            listed=True,
        ),
        Target(
            name="blocked-ipv6",
            about="the blocked name over IPv6",
            host=BLOCKED,
            workload="web",
            listed=True,
            family=6,
        ),
        Target(
            name="blocked-dns",
            about="only the DNS question for the blocked name",
            host=BLOCKED,
            workload="dns",
            listed=True,
        ),
        Target(
            name="innocent",
            about="an innocent name on the same server address",
            host=INNOCENT,
            workload="web",
            listed=False,
        ),
        Target(
            name="look-alike",
            about="an innocent name that ends like the blocked one (notblocked.example)",
            host=f"not{BLOCKED}",
            workload="web",
            listed=False,
        ),
        Target(
            name="innocent-browser",
            about="an innocent name, by Chrome's ClientHello",
            host=INNOCENT,
            workload="web-chrome",
            listed=False,
        ),
        Target(
            name="innocent-ipv6",
            about="an innocent name over IPv6",
            host=INNOCENT,
            workload="web",
            listed=False,
            family=6,
        ),
        Target(
            name="blocked-h3",
            about="the blocked name over HTTP/3, whose ClientHello travels in QUIC",
            host=BLOCKED,
            workload="web-h3",
            listed=True,
        ),
        Target(
            name="innocent-h3",
            about="an innocent name over HTTP/3",
            host=INNOCENT,
            workload="web-h3",
            listed=False,
        ),
        Target(
            name="no-sni",
            about="the blocked page by its address, without SNI: no name for a censor to read",
            host=BLOCKED,
            workload="web-nosni",
            listed=False,
        ),
    ),
    attempts=10,
    # not one of the four, but the one to compare with tspu-like: --policy tspu-2022
    gets_through={
        ("tspu-2022", "blocked-browser"): (
            "this box reads each TCP segment for itself, and Chrome's ClientHello is longer than one"
        ),
    },
    residual=Residual(trigger="blocked", probe="innocent"),
    residual_wait_s=190,  # the longest memory among the four policies is 180 s
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
