"""A policy read back in plain English."""

from __future__ import annotations

from middlebox.policy import Policy


def sentences(policy: Policy) -> list[str]:
    """The policy, a sentence at a time."""
    return [policy.about]
