"""The phases of one end of a connection, and which follows which (RFC 9293, 3.3.2).

Values only; the two phases of who listens or is gone belong to `host`.
"""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """Where one end stands."""

    SYN_SENT = "syn-sent"
    SYN_RECEIVED = "syn-received"
    ESTABLISHED = "established"
    FIN_WAIT_1 = "fin-wait-1"
    FIN_WAIT_2 = "fin-wait-2"
    CLOSE_WAIT = "close-wait"
    CLOSING = "closing"
    LAST_ACK = "last-ack"
    TIME_WAIT = "time-wait"
    CLOSED = "closed"


#: after their FIN was acknowledged
AFTER_FIN = {Phase.FIN_WAIT_1: Phase.FIN_WAIT_2, Phase.CLOSING: Phase.TIME_WAIT, Phase.LAST_ACK: Phase.CLOSED}
#: after the other end's FIN
AFTER_THEIRS = {
    Phase.ESTABLISHED: Phase.CLOSE_WAIT,
    Phase.FIN_WAIT_1: Phase.CLOSING,
    Phase.FIN_WAIT_2: Phase.TIME_WAIT,
}
#: after this end's program has said all
CLOSING = {Phase.ESTABLISHED: Phase.FIN_WAIT_1, Phase.CLOSE_WAIT: Phase.LAST_ACK}
