"""Which boxes do three ways of sending a ClientHello otherwise get past, and why?

The client changes nothing but how its own segments leave; whether that is enough follows from what a box is able to do.
"""

from __future__ import annotations

import sys

from testbed.changers import ABOUT
from testbed.scenario import Scenario
from testbed.workload import Target

BLOCKED = "blocked.example"
INNOCENT = "innocent.example"

_ALONE = "this box reads each TCP segment for itself, and in none of them stands a whole ClientHello"

SCENARIO = Scenario(
    name="evasion",
    question="Which boxes do three ways of sending a ClientHello otherwise get past, and why?",
    about=(
        "One subscriber fetches a blocked page as usual, then with its ClientHello cut in two, cut and out of order, "
        "and preceded by bytes that die before the server; first without a policy (control), which tells that pages "
        "still come, then past a box that reads segments one by one, one that joins them, and one that joins them and "
        "believes only what can reach the server."
    ),
    policies=("tspu-2022", "tspu-like", "sni-strict"),
    targets=(
        Target(name="plain", about="the blocked name, as usual", host=BLOCKED, workload="web", listed=True),
        *(
            Target(
                name=f"by-{name}",
                about=f"the blocked name; {about}",
                host=BLOCKED,
                workload="web",
                listed=True,
                tool=name,
            )
            for name, about in ABOUT.items()
        ),
        Target(name="innocent", about="an innocent name, as usual", host=INNOCENT, workload="web", listed=False),
    ),
    attempts=5,
    gets_through={
        ("tspu-2022", "by-split"): _ALONE,
        ("tspu-2022", "by-disorder"): _ALONE,
        ("tspu-2022", "by-fake"): "this box loses interest in a connection whose first bytes it cannot read",
        ("tspu-like", "by-fake"): "this box takes the bytes that come first, and does not ask whether they can arrive",
    },
    residual_wait_s=0,
)

if __name__ == "__main__":
    from testbed.cli import main

    sys.exit(main(["run", SCENARIO.name, *sys.argv[1:]]))
