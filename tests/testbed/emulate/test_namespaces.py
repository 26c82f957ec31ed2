"""Where namespaces are forbidden the message says why and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.emulate.namespaces import forbidden, unshare_command, why_ended, why_refused

ROOT = Path(__file__).resolve().parents[3]
#: a user namespace in which a limit is set to nothing, then a process without any capability: an ordinary user
FORBID = (
    "echo 0 > /proc/sys/user/max_{kind}_namespaces; exec setpriv --bounding-set=-all --no-new-privs {python} -c '{do}'"
)
DO = "from testbed.emulate.namespaces import forbidden; print(forbidden())"


@pytest.mark.lab
def test_nothing_forbids_a_lab_here() -> None:
    assert forbidden() == ""


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["user", "net"])
def test_a_setting_that_forbids_namespaces_is_named_with_the_ways_on(kind: str) -> None:
    inner = FORBID.format(kind=kind, python=sys.executable, do=DO)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", inner],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    name = f"user.max_{kind}_namespaces"
    assert done.stdout == (
        "ordinary users may not make the namespaces that the lab needs on this system "
        f"({name} is 0): run it with sudo, or allow them with 'sudo sysctl -w {name}=15000'\n"
    )


def test_an_unknown_reason_is_passed_on_in_one_line() -> None:
    message = why_refused("unshare: unshare failed: Operation not permitted\n")
    assert "(unshare: unshare failed: Operation not permitted)" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("status", "said", "message"),
    [
        (-9, "", "the lab's first process was killed while it came up, by SIGKILL"),
        (-15, "a\nlast words\n", "the lab's first process was killed while it came up, by SIGTERM: last words"),
        (
            1,
            "unshare: sigprocmask unblock failed: Invalid argument\n",
            "the lab's first process was killed while it came up",
        ),
        (1, "ModuleNotFoundError: no x\n", "the lab's holder ended while it built the lab: ModuleNotFoundError: no x"),
        (3, "", "the lab's holder ended while it built the lab: exit status 3"),
    ],
)
def test_namespaces_are_not_blamed_for_another_end(status: int, said: str, message: str) -> None:
    assert why_ended(status, said) == message


def test_what_unshare_itself_says_is_a_refusal() -> None:
    said = "unshare: unshare failed: Operation not permitted\n"
    assert why_ended(1, said) == why_refused(said)


def test_root_makes_no_user_namespace_and_others_do() -> None:
    assert ("--user" in unshare_command()) == (os.geteuid() != 0)
