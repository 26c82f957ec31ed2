"""What a tool is made of."""

from __future__ import annotations

import pytest

from testbed import failure
from testbed.tool import NotUp, Tool, Via
from testbed.tools import TOOLS


def test_a_client_that_does_not_get_through_says_why_after_how_long_and_its_last_words() -> None:
    told = NotUp("wireguard", failure.TIMEOUT, 4.04, "Sending handshake initiation")
    assert (told.failure, told.seconds, told.said) == (failure.TIMEOUT, 4.04, "Sending handshake initiation")
    assert str(told) == (
        "wireguard was not up after 4.0 s: generic_timeout_error; it last said: Sending handshake initiation"
    )


@pytest.mark.parametrize("text", ["", "it did not work"])
def test_a_failure_without_a_name_of_oonis_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="none of OONI's failure strings"):
        NotUp("ssh", text, 1.0, "")


def test_what_does_not_apply_is_empty() -> None:
    assert Via() == Via(proxy="", source="", interface="", exit="")


def test_every_tool_is_one_by_its_type() -> None:
    tools: list[Tool] = list(TOOLS.values())
    assert all(tool.about and tool.server_ports and tool.programs and tool.asks_version for tool in tools)
