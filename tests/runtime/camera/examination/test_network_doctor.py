"""The network doctor: each finding, and the next step beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.camera.examination.network import (
    Host,
    LinkFinding,
    Traffic,
    examine_network,
    host_of,
)

GOOD = Host("eth1", mtu=9000, speed_mbit=1000, rmem_max=8_000_000)
LINK = {"packet_size": 8964}
TRAFFIC = Traffic(1_000_000, 25.0, {"received_packets": 10_000})


def findings(
    host: Host = GOOD, link: dict[str, str | int] | None = None, traffic: Traffic = TRAFFIC
) -> dict[str, LinkFinding]:
    found = examine_network(host, LINK if link is None else link, traffic)
    return {finding.name: finding for finding in found}


def counted(**statistics: int) -> Traffic:
    return Traffic(1_000_000, 25.0, {"received_packets": 10_000, **statistics})


def test_a_good_network_needs_nothing():
    found = findings()
    assert set(found) == {
        "MTU", "packet size", "socket buffer", "link speed", "resent", "missing"
    }  # fmt: skip
    assert {finding.state for finding in found.values()} == {"good"}
    assert not any(finding.next_step for finding in found.values())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("MTU", {"host": Host("eth1", 1500, 1000, 8_000_000)}, "ip link set eth1 mtu 9000"),
        ("packet size", {"link": {"packet_size": 1400}}, "let the switch pass jumbo frames"),
        (
            "socket buffer",
            {"host": Host("eth1", 9000, 1000, 212_992)},
            "sudo sysctl -w net.core.rmem_max=2097152",
        ),
        ("link speed", {"host": Host("eth1", 9000, 100, 8_000_000)}, "use a gigabit port"),
        (
            "link speed",
            {"traffic": Traffic(5_000_000, 25.0, {})},
            "lower AcquisitionFrameRate, the ROI",
        ),
        ("resent", {"traffic": counted(resent_packets=11)}, "raise GevSCPD"),
        ("missing", {"traffic": counted(missing_packets=1)}, "frames were incomplete"),
        ("underruns", {"traffic": counted(underruns=1)}, "this machine was too slow"),
    ],
)
def test_what_is_poor_has_its_next_step(name, options, words):
    found = findings(**options)[name]
    assert found.state == "poor"
    assert words in found.next_step


def test_what_is_not_known_is_said():
    found = findings(Host("", None, None, None), {})
    for name in ("MTU", "packet size", "socket buffer", "link speed"):
        assert found[name].state == "unknown"
        assert found[name].next_step


def test_a_few_resent_packets_are_no_trouble():
    assert findings(traffic=counted(resent_packets=10))["resent"].state == "good"


def test_the_interface_is_found_by_its_address(tmp_path: Path):
    for file, text in {
        "sys/class/net/lo/mtu": "65536\n",
        "sys/class/net/lo/speed": "-1\n",
        "proc/sys/net/core/rmem_max": "212992\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    host = host_of("127.0.0.1", tmp_path)
    assert host == Host("lo", 65536, -1, 212992)
    found = findings(host, {"packet_size": 1400})
    assert found["packet size"].state == "good"
    assert "link speed" not in found
    assert host_of("203.0.113.9", tmp_path) == Host("", None, None, 212992)
