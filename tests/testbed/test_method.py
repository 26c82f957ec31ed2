"""How it was measured, told from the manifest."""

from pathlib import Path

from testbed import method
from testbed.manifest import plain
from testbed.topology import shipped
from tests.testbed.written import run_of


def test_the_way_of_the_packets_is_told_there_and_back(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, [])
    manifest["topology"] = plain({"name": "national"})
    text = method.method(manifest, "It was judged.")
    assert "Packets go by client - isp - box - gateway - transit1 - transit2 - transit3 - web; " in text
    assert f"the links alone take {shipped('national').delay('client', 'web') * 2000:g} ms there and back." in text
    assert "Answers come back" not in text
    manifest["topology"] = plain({"name": "asymmetric"})
    text = method.method(manifest, "It was judged.")
    assert "Answers come back by web - transit3 - transit2 - transit1 - gateway - isp - client." in text


def test_addresses_that_were_used_twice_are_owned_up_to(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, [])
    assert "a second time" not in method.method(manifest, "It was judged.")
    manifest["legs"] = [{"addresses_reused": 2}, {"addresses_reused": 3}]
    assert "5 attempts had to use an address a second time." in method.method(manifest, "It was judged.")


def test_how_to_repeat_is_a_command_and_a_replay_of_a_capture_that_is_where_it_says(tmp_path: Path) -> None:
    text = method.again(run_of(tmp_path, []), tmp_path)
    assert f"<pre>./penstock run pretended\n./penstock replay sni-drop {tmp_path}/sni-drop/box.pcap</pre>" in text
    (tmp_path / "again").mkdir()
    text = method.again(run_of(tmp_path / "again", []), Path("runs/a run"))
    assert "./penstock replay sni-drop &#x27;runs/a run/sni-drop/box.pcap&#x27;</pre>" in text


def test_a_policy_of_ones_own_is_replayed_by_its_file(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, [])
    manifest["policies"][0]["given"] = "mine/drop.yaml"
    assert f"./penstock replay mine/drop.yaml {tmp_path}/sni-drop/box.pcap" in method.again(manifest, tmp_path)


def test_a_network_that_was_slowed_down_is_owned_up_to(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, [])
    manifest["topology"], manifest["scenario"]["slowdown"] = plain({"name": "national"}), 10
    text = method.method(manifest, "It was judged.")
    assert "the links alone take 380 ms there and back." in text
    assert "All delays are 10 times as long" in text
    assert "a client gave up after 30 s" in text


def test_a_run_in_virtual_time_says_that_it_repeats_to_the_byte(tmp_path: Path) -> None:
    real = run_of(tmp_path, [])
    manifest = real | {"backend": "simulate"}
    assert "byte for byte" in method.again(manifest, Path("mine"))
    assert "mine/sni-drop/box.pcap" in method.again(manifest, Path("mine"))
    assert "no attempt had to be left out" in method.method(manifest, "")
    assert "byte for byte" not in method.again(real, Path("mine"))
