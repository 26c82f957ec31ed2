"""What do four ways of slowing a site down do to a page, a download and an upload, and does a VPN help?

It compares each with the control, and tells the means apart by what the sender's kernel saw; it tries no evasion but
the VPN.
"""

from __future__ import annotations

import sys

from testbed.scenario import Kind, Scenario
from testbed.workload import Target

SLOWED = "blocked.example"
INNOCENT = "innocent.example"
VPN = "wireguard"

#: an attempt at 128 kbit/s takes so long, of which the first part is left out: a full bucket, slow start
SECONDS, SKIP_S = 14.0, 2.0
#: at the speed of the line it is over in less than two seconds; at 128 kbit/s not within those
DOWN_BYTES, UP_BYTES = 1_500_000, 300_000


def _three(who: str, about: str, host: str, *, listed: bool, tool: str = "") -> tuple[Target, ...]:
    """A page, a download and an upload."""
    return (
        Target(
            name=f"{who}-page",
            about=f"a page with six objects (320 kB) of {about}",
            host=host,
            workload="web-object",
            listed=listed,
            tool=tool,
        ),
        Target(
            name=f"{who}-down",
            about=f"1.5 MB from {about}, watched for {SECONDS:g} s at most",
            host=host,
            workload="download",
            listed=listed,
            size=DOWN_BYTES,
            seconds=SECONDS,
            skip_s=SKIP_S,
            tool=tool,
        ),
        Target(
            name=f"{who}-up",
            about=f"300 kB to {about}, watched for {SECONDS:g} s at most",
            host=host,
            workload="upload",
            listed=listed,
            size=UP_BYTES,
            seconds=SECONDS,
            skip_s=SKIP_S,
            tool=tool,
        ),
    )


SCENARIO = Scenario(
    name="throttling",
    question="What do four ways of slowing a site down do to pages, downloads and uploads, and does a VPN help?",
    about=(
        "One subscriber with an ADSL line fetches a page, downloads and uploads, from the slowed name, from an "
        "innocent "
        "name at the same address, and from the slowed name through a VPN; first without a policy (control), then "
        "under "
        "a policer, a shaper, delay with loss, and a freeze. A policer and a shaper hold a flow to the same rate; "
        "they are "
        "told apart by what the sender's kernel sees."
    ),
    policies=("throttle-police", "throttle-shape", "throttle-delay-loss", "throttle-freeze"),
    kind=Kind.THROUGHPUT,
    topology="adsl",
    targets=(
        *_three("slowed", "the slowed name", SLOWED, listed=True),
        *_three("innocent", "an innocent name at the same address", INNOCENT, listed=False),
        *_three("vpn", f"the slowed name through {VPN}", SLOWED, listed=True, tool=VPN),
    ),
    attempts=5,
    limit_s=45.0,
    parallel=15,
    residual_wait_s=0,
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
