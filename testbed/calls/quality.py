"""What a call is worth to people: the mean opinion score that the E-model estimates (ITU-T G.107).

Simplified as usual for calls over packets (Cole, Rosenbluth, "Voice over IP performance monitoring", CCR 2001): delay
and loss alone spoil it. Loss counts as for G.711 with concealment (ITU-T G.113, appendix I: Ie 0, Bpl 25.1), so a score
compares calls with each other and is no statement about a codec.
"""

from __future__ import annotations

#: milliseconds of a packet of voice, and of the buffer that takes out jitter
FRAME_MS, BUFFER_MS = 20.0, 60.0
#: the rating of a call that nothing spoils, and the impairment and robustness of the codec
_BEST, _CODEC, _ROBUST = 93.2, 0.0, 25.1
#: below this many users are dissatisfied (ITU-T G.109: R below 70)
POOR = 3.6


def rating(one_way_ms: float, loss: float) -> float:
    """R, 0 to 93.2, of a delay from mouth to ear and a share of packets lost (0 to 1)."""
    delay = 0.024 * one_way_ms + 0.11 * max(0.0, one_way_ms - 177.3)
    percent = 100 * loss
    codec = _CODEC + (95 - _CODEC) * percent / (percent + _ROBUST)
    return max(0.0, _BEST - delay - codec)


def score(rtt_s: float, jitter_s: float, loss: float) -> float:
    """The mean opinion score, 1 (bad) to 4.4; a buffer that jitter overruns is made longer, up to twice."""
    buffer_ms = min(2 * BUFFER_MS, max(BUFFER_MS, 4_000 * jitter_s))
    return opinion(rating(500 * rtt_s + FRAME_MS + buffer_ms, loss))


def opinion(r: float) -> float:
    """The mean opinion score of a rating (ITU-T G.107, annex B)."""
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
