"""Running commands on hosts from Python."""

from __future__ import annotations

import threading

import pytest

from testbed.lab import Done, Lab

pytestmark = pytest.mark.lab


def test_output_errors_and_input_are_passed(lab: Lab) -> None:
    done = lab.client.run(["sh", "-c", "cat; echo oops >&2"], input="words\n")
    assert (done.stdout, done.stderr, done.status) == ("words\n", "oops\n", 0)
    assert lab.client.run(["cat"]).stdout == ""


def test_a_lot_of_output_arrives_whole(lab: Lab) -> None:
    done = lab.client.run(["head", "-c", "3000000", "/dev/zero"])
    assert done.output == bytes(3_000_000)


def test_a_command_that_takes_too_long_is_killed(lab: Lab) -> None:
    done = lab.client.run(["sh", "-c", "echo begun; sleep 100"], timeout=0.3)
    assert done.timed_out
    assert done.stdout == "begun\n"
    assert 0.3 <= done.seconds < 3
    assert done.status == 137


def test_a_child_that_keeps_the_output_open_does_not_hold_the_caller(lab: Lab) -> None:
    done = lab.client.run(["sh", "-c", "sleep 5 & echo done"])
    assert done.stdout == "done\n"
    assert done.seconds < 2


def test_the_environment_is_the_callers_with_additions(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_CALLER", "one")
    done = lab.client.run(["sh", "-c", "echo $FROM_CALLER $ADDED"], env={"ADDED": "two"})
    assert done.stdout == "one two\n"


def test_threads_run_commands_side_by_side(lab: Lab) -> None:
    found: list[Done] = []
    threads = [threading.Thread(target=lambda: found.append(lab.client.run(["sleep", "0.5"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert max(done.seconds for done in found) < 2.5


def test_an_unknown_host_names_the_nearest(lab: Lab) -> None:
    with pytest.raises(ValueError, match="no host 'cliet'; did you mean 'client'"):
        lab.host("cliet")


def test_a_conversation_with_the_box_is_json_lines(lab: Lab) -> None:
    with lab.box() as conversation:
        assert conversation.ask({"do": "ping"})
        assert "sni" in conversation.ask({"do": "rules"})["hits"]
        conversation.ask({"do": "watch"})
        assert not conversation.waiting(0.05)
        lab.client.run(["curl", "-sS", "-m", "0.5", "https://blocked.example/"])
        assert conversation.hear()["rule"] == "sni"
