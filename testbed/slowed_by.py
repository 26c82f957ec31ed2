"""Who carries out what slows a flow down: the kernel, the engine packet by packet, or each a part.

It reads a policy and what its box says of its data plane, and nothing of what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from middlebox.action import Slow
from middlebox.policy import Policy
from testbed.result import Outcome

KERNEL, ENGINE = "kernel", "engine"


def slowed_by(policy: Policy | None, stats: Mapping[str, Any] | None) -> str:
    """ "kernel", "engine" or "kernel and engine"; "" if nothing in the policy slows. `stats`: a box's own."""
    if policy is None:
        return ""
    slow = [rule.name for rule in policy.rules if any(isinstance(action, Slow) for action in rule.actions)]
    in_kernel = set((stats or {}).get("policed_by_kernel") or ())
    whose = {KERNEL if name in in_kernel else ENGINE for name in slow}
    return " and ".join(sorted(whose, reverse=True))


def of_row(means: str, intended: Outcome | None) -> str:
    """What a row says: nothing where the policy means nothing to happen."""
    return "" if intended is Outcome.OK else means
