"""Fresh addresses out of a subscriber's blocks."""

from ipaddress import IPv4Network, IPv6Network, ip_address

from testbed.addresses import Addresses


def test_addresses_are_fresh_until_the_block_is_used_up() -> None:
    addresses = Addresses(IPv4Network("10.0.0.0/28"), IPv6Network("2001:db8:1::/64"), "10.0.0.1")
    given = [addresses.fresh() for _ in range(13)]
    fours, sixes = {four for four, _ in given}, {six for _, six in given}
    assert len(fours) == len(sixes) == 13
    assert "10.0.0.1" not in fours
    assert all(ip_address(four) in IPv4Network("10.0.0.0/28") for four in fours)
    assert addresses.reused == 0
    assert addresses.fresh()[0] in fours
    assert addresses.reused > 0
