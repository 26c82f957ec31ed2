"""Values of the ability page."""

from __future__ import annotations

import pytest

from middlebox.ability import INSIDE, Ability, Draw, Placement, Tcp, fixed


def test_an_empty_range_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="a range from 5 to 4 is empty"):
        Draw(5, 4)


def test_only_one_number_that_is_not_mirrored_is_fixed() -> None:
    assert fixed(7).fixed
    assert not Draw(1, 2).fixed
    assert not Draw(0, 0, mirror=True).fixed


def test_the_ordinary_box_reads_what_began_with_a_syn_and_joins_all() -> None:
    box = Ability()
    assert box.placement is Placement.IN_PATH
    assert not Tcp().mid_stream
    assert box.reassembly.segments
    assert box.reassembly.records
    assert box.reassembly.fragments


def test_the_labs_subscribers_are_inside_and_its_servers_are_not() -> None:
    from testbed.topology import national

    topology = national()
    for node in topology.nodes:
        for block in (node.block4, node.block6):
            if block is None:
                continue
            inside = any(block.version == one.version and block.subnet_of(one) for one in INSIDE)  # type: ignore[arg-type]
            assert inside == (node.role.value == "subscriber"), f"{node.name} {block}"
