"""Chat messages and media, in a lab that only forwards."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.messages import PHOTO, TEXT, VOICE, ChatText, MediaFetch, MediaSend
from tests.testbed.workloads.asking import ask_in


@pytest.mark.lab
def test_a_text_goes_there_and_another_comes_back(transfer_lab: Lab) -> None:
    seen = ChatText().measure(ask_in(transfer_lab, "chat-text"))
    assert (seen.outcome, seen.bytes) == (Outcome.OK, 2 * TEXT)


@pytest.mark.lab
def test_a_photo_comes_and_a_voice_note_goes(transfer_lab: Lab) -> None:
    assert MediaFetch().measure(ask_in(transfer_lab, "media-fetch")).bytes == PHOTO
    assert MediaSend().measure(ask_in(transfer_lab, "media-send", size=VOICE)).bytes == VOICE
