"""What a box has promised for later."""

from __future__ import annotations

from middlebox.coming import MAX_HELD, Coming
from middlebox.packet import view
from middlebox.passing import Passing
from middlebox.verdict import Direction, Emission, Verdict

PACKET = bytes.fromhex("4500001c000000004011000000000000000000000000000000080000")


def passing(number: int) -> Passing:
    seen = view(PACKET)
    assert seen is not None
    return Passing(number, 0, PACKET, seen, None)


def test_what_is_due_comes_in_the_order_of_its_times_and_then_of_its_promise() -> None:
    coming = Coming()
    assert coming.next_due() is None
    for number, at_ns in enumerate((30, 10, 10, 20)):
        assert coming.hold(passing(number), at_ns) is Verdict.HOLD
    assert coming.next_due() == 10
    assert [one.releases for one in coming.due(20)] == [1, 2, 3]
    assert coming.held == 1
    coming.inject(Emission(packet=b"x", at_ns=25, toward=Direction.TO_CLIENT, injector="reset"))
    assert [one.injector for one in coming.due(30)] == ["reset", ""]


def test_a_box_that_holds_too_much_forwards_at_once_and_counts_it() -> None:
    coming = Coming()
    coming.held = MAX_HELD
    assert coming.hold(passing(0), 10) is Verdict.PASS
    assert (coming.not_held, coming.next_due()) == (1, None)
