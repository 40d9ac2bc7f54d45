"""The long checks of a service made short: kills, a broker that is down, ten sinks."""

from __future__ import annotations

import re
import shutil

import pytest

from benchmarks import broker, kill, sinks


def test_streams_killed_at_random_moments_lose_nothing_that_they_had_shown(tmp_path, make_bundle):
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    place = tmp_path / "place"
    place.mkdir()
    findings = kill.kill_often(bundle, place, kills=8, fps=100, seed=1)
    assert findings.wrong == []
    assert sum(findings.kills.values()) == 8
    assert findings.said["stream"] == findings.kills["in service"]
    assert findings.verdicts > 0


def test_the_check_itself_sees_what_is_missing_torn_or_other(tmp_path):
    findings = kill.Findings()
    good = b'{"frame":0,"status":"pass"}\n'
    torn = b'{"frame":1,"sta'
    assert kill._whole_lines(good + torn, findings, "x") == {0: "pass"}
    assert findings.wrong == [], "a torn last line is no finding"
    kill._whole_lines(torn + b"\n" + good, findings, "x")
    assert findings.wrong == ["x: a line within the file is torn"]
    receiver = kill.Receiver()
    findings = kill.Findings(spooled={"r": {0: "pass", 1: "pass"}})
    receiver.take(b'{"run":"r","frame":1,"status":"pass"}')
    folder = tmp_path / "streams" / "20261127-1"
    folder.mkdir(parents=True)
    (folder / "verdicts.jsonl").write_bytes(good)
    later = tmp_path / "streams" / "20261127-2"
    later.mkdir()
    (tmp_path / "journal.jsonl").write_bytes(good + b'{"frame":2,"status":"pass"}\n')
    kill._check_end(tmp_path, receiver, findings)
    assert len(findings.wrong) == 4, findings.wrong
    for words in ("1 verdicts of the spool never came", "gaps", "nobody said"):
        assert any(words in wrong for wrong in findings.wrong)


def test_a_broker_that_is_down_for_a_while_costs_no_verdict_and_no_message(
    tmp_path, make_bundle, monkeypatch, capsys
):
    pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt: pip install 'edgecl[mqtt]'")
    if shutil.which("mosquitto") is None and shutil.which("/usr/sbin/mosquitto") is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    options = ["--down", "6", "--up", "2", "--fps", "50", "--budget-ms", "5000"]
    monkeypatch.setattr("sys.argv", ["broker.py", "--model", str(bundle), *options])
    assert broker.main() == 0
    out = capsys.readouterr().out
    assert "broker down for 6 s" in out
    for span in ("up", "down", "up again"):
        assert re.search(rf"^{span}: \d+ verdicts, 0 dropped, 0 late", out, re.MULTILINE), out
    assert "lost 0, in the spool 0, missing 0" in out


def test_ten_sinks_take_every_verdict_of_their_turns(tmp_path, make_bundle, monkeypatch, capsys):
    bundle = make_bundle(tmp_path / "tiny.edgecl")
    options = ["--turns", "4", "--fps", "50"]
    monkeypatch.setattr("sys.argv", ["sinks.py", "--model", str(bundle), *options])
    sinks.main()
    out = capsys.readouterr().out
    assert re.search(r"^ten sinks: \d+ frames, total p10", out, re.MULTILINE)
    assert "added to total: median of 2 pairs of turns" in out
