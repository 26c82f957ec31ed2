"""The network and the measurement: labs, workloads, scenarios, results.

The censor itself is the package `middlebox`, which imports nothing from here.
"""

from testbed.lab import Lab

__all__ = ["Lab"]
