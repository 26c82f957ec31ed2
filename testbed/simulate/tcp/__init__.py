"""TCP as Linux speaks it, in virtual time: real segments, real bytes, what decides how much gets through a policer."""

from testbed.simulate.tcp.segment import Segment, decoded
from testbed.simulate.tcp.settings import DEFAULT, Settings
from testbed.simulate.tcp.stream import Connection

__all__ = ["DEFAULT", "Connection", "Segment", "Settings", "decoded"]
