"""The line to node-opcua, which shares no code with the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.stream.opcua.certificate import kept_identity
from tests.runtime.stream.opcua.serving import (
    MODULES,
    PASSWORD,
    USER,
    ServedLine,
    names_below,
    node_modules,
    nodeset,
)

pytest.importorskip("asyncua", reason="needs asyncua: pip install 'edgecl[opcua]'")
pytestmark = pytest.mark.skipif(
    node_modules() is None, reason=f"needs node-opcua-client in a folder that {MODULES} names"
)

SYSTEM = "/3:VisionSystem"
AUTOMATIC = f"{SYSTEM}/2:VisionStateMachine/2:AutomaticModeStateMachine"
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


@pytest.fixture(scope="module", params=["own names", "node set"])
def either(request, tmp_path_factory) -> Iterator[ServedLine]:
    """A line by its own names, and one with the Machine Vision node set."""
    path = nodeset()
    if request.param == "node set" and path is None:
        pytest.skip("needs node-opcua-nodesets beside node-opcua-client")
    options = f"nodeset={path}" if request.param == "node set" else ""
    served = ServedLine(tmp_path_factory.mktemp("either"), options)
    yield served
    served.close()


def test_browse_names_the_newest_result_and_methods_without_rights(either: ServedLine):
    either.emit(2)
    newest = f"{SYSTEM}/2:ResultManagement/2:Results/3:Newest"
    told = either.peer(browse=SYSTEM, read=[newest, "/3:Line/3:Lot"], calls=[STOP]).told()
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
    result = told["values"][newest]
    assert result["resultId"]["id"].startswith("run/")
    assert result["resultState"] == 1
    assert result["internalRecipeId"]["hash"]["data"] == [0xAB] * 32
    assert [entry["value"] for entry in result["resultContent"]][:3] == ["pass", "clean", "0.9"]


def test_a_thousand_results_in_order(either: ServedLine):
    kind = either.event_type
    assert (kind == "ns=2;i=1024") == ("nodeset" in either.options)
    peer = either.peer(
        results=1000, index=2, at="i=2253", fields=["ResultId", "ResultState"], eventType=kind
    )
    peer.wait_for("LISTENING")
    first = either.emitted
    either.emit(1000)
    told = peer.told()
    assert told["events"] == [f"run/{number}" for number in range(first, first + 1000)]
    assert told["fields"][1] == 1
    assert either.sink.lost == 0


def test_methods_with_rights(either: ServedLine):
    own = either.folder.parent / "peer"
    kept_identity(own, "peer", lambda text: None)
    encrypted = {
        "encrypted": True,
        "certificate": str(own / "opcua-certificate.pem"),
        "key": str(own / "opcua-key.pem"),
    }
    told = either.peer(user=USER, password=PASSWORD, **encrypted, calls=[STOP, STOP, START]).told()
    assert [call["status"] for call in told["calls"]] == ["Good", "BadInvalidState", "Good"]
    assert told["calls"][0]["outputs"] == [0]
    job, error = told["calls"][2]["outputs"]
    assert error == 0
    assert job["id"].startswith("run/job-")
    if not either.options:  # logins know nothing of the names
        told = either.peer(user=USER, password="wrong-horse", **encrypted).told()
        assert "BadUserAccessDenied" in told["error"]
