"""How a sweep is written: what a good one says, and the exact message for each faulty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.load import LoadError
from testbed.sweep import description, planning
from testbed.sweep.values import Parameter, Span

FAULTY = Path(__file__).parent / "faulty"

WHOLE = """\
name: rates
about: how slow is too slow
backend: replay
policies: [throttle-police, mine.yaml]
workloads: tls-download
parameters:
  rules.0.action.police.rate: [64 kbit/s, 128 kbit/s]
  rtt: 10 ms
  content: 20..400 kB log
  segment: [500]
seeds: 1-20,30
design: lhs:200
design-seed: 7
"""


@pytest.mark.parametrize("path", sorted(FAULTY.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_faulty_description_is_refused_with_exactly_this_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTY)
    with pytest.raises(LoadError) as caught:
        description.read(Path(path.name))
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_a_good_description_says_all_that_is_varied(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nrules: []\n")
    (tmp_path / "sweep.yaml").write_text(WHOLE)
    assert description.read(tmp_path / "sweep.yaml") == {
        "name": "rates",
        "about": "how slow is too slow",
        "backend": "replay",
        "policies": ("throttle-police", str(tmp_path / "mine.yaml")),
        "workloads": ("tls-download",),
        "parameters": (
            Parameter("rules.0.action.police.rate", ("64 kbit/s", "128 kbit/s")),
            Parameter("rtt", ("10 ms",)),
            Parameter("content", Span(20, 400, "kB", logarithmic=True, decimals=False)),
            Parameter("segment", ("500",)),
        ),
        "seeds": (range(1, 21), range(30, 31)),
        "draws": 200,
        "design_seed": 7,
    }


def test_the_command_line_says_the_same() -> None:
    assert description.setting("rtt=10 ms, 20 ms") == Parameter("rtt", ("10 ms", "20 ms"))
    assert description.setting("a.b=0.5..2 s") == Parameter("a.b", Span(0.5, 2, "s"))
    assert description.word("--seeds", description.SEEDS, "3") == (range(3, 4),)
    assert description.word("--design", description.DESIGN, "grid") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rtt", "'--set rtt': expected NAME=VALUE,VALUE such as --set rules.0.chance='10 %,50 %'"),
        (
            "rtt=1 ms,",
            "'--set rtt=1 ms,': found '1 ms,'; expected values between commas, or a span such as '64..1024 kbit/s'; "
            "there is an empty value between two commas",
        ),
        (
            "x=5..1 s",
            "'--set x=5..1 s': found '5..1 s'; expected values between commas, or a span such as '64..1024 kbit/s'; "
            "the span is empty; write: 1..5 s",
        ),
        (
            "x=0..5 s log",
            "'--set x=0..5 s log': found '0..5 s log'; expected values between commas, or a span such as "
            "'64..1024 kbit/s'; a logarithmic span begins above 0",
        ),
    ],
)
def test_a_bad_setting_is_refused_with_exactly_this_message(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        description.setting(text)
    assert str(caught.value) == message


def test_seeds_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match=r"--seeds: found '1-5,3'; expected seeds .*; a seed stands there twice"):
        description.word("--seeds", description.SEEDS, "1-5,3")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="found a file that cannot be read: No such file or directory"):
        description.read(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    with pytest.raises(LoadError, match="found bytes that are not UTF-8"):
        description.read(tmp_path / "bytes.yaml")


def test_the_example_of_the_documentation_is_a_sweep_that_can_be_run(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (tmp_path / "how-slow.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    made = planning.plan(description.read(tmp_path / "how-slow.yaml"))
    assert f"# {planning.count(made)} cells; the same command again" in text


def test_the_words_of_a_sweep_are_not_suggested_to_who_writes_a_policy(tmp_path: Path) -> None:
    from middlebox.load import load

    (tmp_path / "p.yaml").write_text("name: p\nrules: []\nseeds: 1\n")
    with pytest.raises(LoadError) as caught:
        load(tmp_path / "p.yaml")
    assert "a sweep" not in str(caught.value)
