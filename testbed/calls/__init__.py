"""A voice call as messengers make it, through a media relay: its packets, its two ends, and what it sounded like.

Nothing here has a socket or a clock: `ends` gets datagrams and the time, and says what to send and when, so that the
code of a lab is that of virtual time. `packets` is the bytes of STUN, RTP and RTCP, `hearing` what a receiver counts,
`quality` what that is worth to people.
"""
