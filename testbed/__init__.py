"""The network and the measurement: labs, workloads, scenarios, results.

The censor itself is the package `middlebox`, which imports nothing from here.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.lab import Lab

__all__ = ["Lab"]


def __getattr__(name: str) -> object:
    """Load a public name when it is asked for: the lab's own small programs start without all of it."""
    if name in __all__:
        from testbed import lab

        return getattr(lab, name)
    raise AttributeError(f"module 'testbed' has no attribute '{name}'")
