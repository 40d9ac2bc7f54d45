"""The line to node-opcua, which shares no code with the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from runtime.stream.opcua.certificate import kept_identity
from tests.runtime.stream.opcua.peer import MODULES, Peer, names_below, node_modules, nodeset
from tests.runtime.stream.opcua.serving import PASSWORD, USER, ServedLine

pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
pytestmark = pytest.mark.skipif(
    node_modules() is None, reason=f"needs node-opcua-client in a folder that {MODULES} names"
)

SYSTEM = "/3:VisionSystem"
AUTOMATIC = f"{SYSTEM}/2:VisionStateMachine/2:AutomaticModeStateMachine"
NEWEST = f"{SYSTEM}/2:ResultManagement/2:Results/3:Newest"
STOP: dict[str, Any] = {
    "object": AUTOMATIC,
    "method": "2:Stop",
    "arguments": [["Int32", 0], ["String", "because"]],
}
START: dict[str, Any] = {
    "object": AUTOMATIC,
    "method": "2:StartContinuous",
    "arguments": [["Null", None]] * 5,
}


@dataclass(frozen=True)
class PeerSight:
    """What node-opcua found.

    Args:
        results: ids of those that were emitted while it listened.
        anonymous: without a user: it browsed, listened, read and called.
        user: with one and encrypted: it called.
        stranger: with a wrong password; None where that was not tried.
    """

    line: ServedLine
    event_type: str
    results: list[str]
    anonymous: dict[str, Any]
    user: dict[str, Any]
    stranger: dict[str, Any] | None = None


@pytest.fixture(scope="module", params=["own names", "node set"])
def found(request, tmp_path_factory) -> Iterator[PeerSight]:
    """What one process of node-opcua finds at a line by its own names, or with the node set."""
    if request.param == "own names":
        yield look(request.getfixturevalue("line"), 100)
        return
    path = nodeset()
    if path is None:
        pytest.skip("needs node-opcua-nodesets beside node-opcua-client")
    served = ServedLine(tmp_path_factory.mktemp("either"), f"nodeset={path}")
    try:
        yield look(served, 300)
    finally:
        served.close()


def look(line: ServedLine, count: int) -> PeerSight:
    """Let node-opcua look at a line that emits so many results."""
    kind = line.event_type
    own = line.folder.parent / "peer"
    kept_identity(own, "peer", lambda text: None)
    encrypted = {
        "encrypted": True,
        "certificate": str(own / "opcua-certificate.pem"),
        "key": str(own / "opcua-key.pem"),
        "user": USER,
    }
    listening = {
        "results": count,
        "index": 2,
        "at": "i=2253",
        "fields": ["ResultId", "ResultState"],
        "eventType": kind,
    }
    wishes = [
        {"browse": SYSTEM, **listening, "read": [NEWEST, "/3:Line/3:Lot"], "calls": [STOP]},
        {**encrypted, "password": PASSWORD, "calls": [STOP, STOP, START]},
    ]
    if line.options:  # a refusal is told, and other tests count those of the other line
        wishes.append({**encrypted, "password": "wrong-horse"})
    peer = Peer(line.url, str(line.folder.parent / "pki"), wishes)
    peer.wait_for("LISTENING")
    first = line.emitted
    line.emit(count)
    results = [f"run/{number}" for number in range(first, first + count)]
    return PeerSight(line, kind, results, *peer.told())


def test_browse_names_the_newest_result_and_methods_without_rights(found: PeerSight):
    told = found.anonymous
    assert [call["status"] for call in told["calls"]] == ["BadUserAccessDenied"]
    machine = ("VisionStateMachine",)
    assert {"Preoperational", "Halted", "Error", "Operational"} < {
        *names_below(told["names"], *machine)
    }
    assert {"Reset", "Halt", "SelectModeAutomatic"} < {*names_below(told["names"], *machine)}
    automatic = {*names_below(told["names"], *machine, "AutomaticModeStateMachine")}
    assert {"Initialized", "Ready", "SingleExecution", "ContinuousExecution"} < automatic
    assert {"StartContinuous", "StartSingleJob", "Stop", "Abort"} < automatic
    assert {"PrepareRecipe", "UnprepareRecipe"} < {*names_below(told["names"], "RecipeManagement")}
    results = {*names_below(told["names"], "ResultManagement")}
    assert {"GetResultById", "GetResultListFiltered", "Results"} == results
    assert told["values"]["/3:Line/3:Lot"] == "4711"
    result = told["values"][NEWEST]
    assert result["resultId"]["id"] == found.results[-1]
    assert result["resultState"] == 1
    assert result["internalRecipeId"]["hash"]["data"] == [0xAB] * 32
    assert [entry["value"] for entry in result["resultContent"]][:3] == ["pass", "clean", "0.9"]


def test_results_in_order(found: PeerSight):
    assert (found.event_type == "ns=2;i=1024") == ("nodeset" in found.line.options)
    assert found.anonymous["events"] == found.results
    assert found.anonymous["fields"][1] == 1
    assert found.line.sink.lost == 0


def test_methods_with_rights(found: PeerSight):
    calls = found.user["calls"]
    assert [call["status"] for call in calls] == ["Good", "BadInvalidState", "Good"]
    assert calls[0]["outputs"] == [0]
    job, error = calls[2]["outputs"]
    assert error == 0
    assert job["id"].startswith("run/job-")
    if found.stranger is not None:
        assert "BadUserAccessDenied" in found.stranger["error"]
