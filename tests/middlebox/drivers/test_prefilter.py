"""What goes by a box without being shown to it, as nft says it; that the kernel obeys, `test_kernel` shows."""

from __future__ import annotations

import dataclasses

from middlebox.drivers.prefilter import bare, prefilter, pure_acks
from middlebox.interest import EVERYTHING


def test_a_policy_that_may_be_interested_in_everything_is_shown_everything() -> None:
    assert list(prefilter(EVERYTHING)) == []


def test_datagrams_to_other_ports_than_those_asked_about_go_by_but_fragments_do_not() -> None:
    source, destination, four, six = prefilter(dataclasses.replace(EVERYTHING, udp=((53, 53), (443, 445))))
    assert source == "  udp sport { 53, 443-445 } accept"
    assert destination == "  udp dport { 53, 443-445 } accept"
    assert "ip frag-off & 0x3fff == 0" in four
    assert six.startswith("  ip6 nexthdr udp ")


def test_what_has_no_rule_goes_by_protocol_by_protocol() -> None:
    nothing = dataclasses.replace(EVERYTHING, tcp=False, udp=(), icmp=False, ipv6=False, other=False)
    said = "\n".join(prefilter(nothing))
    for words in (
        "meta nfproto ipv6",
        "ip protocol tcp",
        "ip protocol udp",
        "ip protocol icmp",
        "!= { tcp, udp, icmp }",
    ):
        assert words in said


def test_bare_acknowledgements_go_by_once_a_connection_is_whole() -> None:
    said = list(prefilter(dataclasses.replace(EVERYTHING, pure_acks=False)))
    assert said[-1].endswith("== ack jump acks")
    assert any("assured" in line for line in pure_acks())
    assert len(list(bare())) == 22  # eleven lengths of a TCP header (RFC 9293, 3.1), for either IP version
