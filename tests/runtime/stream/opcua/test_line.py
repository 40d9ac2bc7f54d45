"""The line as a vision system, without a server: jobs, results and what is withheld."""

from __future__ import annotations

from runtime.stream.opcua.line import COMPLETED, FAILED, KEPT, VisionLine
from runtime.stream.sinks import StreamFacts
from runtime.stream.sinks.remote.messages import verdict_message
from runtime.stream.verdict import Decision, Status, Verdict

FACTS = StreamFacts("run", "steel.edgecl", "camera 0", digest="ab" * 32)
CAPTURED = 1_800_000_000_000_000_000


def verdict(number: int = 0, status: Status = Status.PASS, camera: str = "") -> bytes:
    decision = Decision(status, "clean", 0.9)
    steps = {"capture": 1_000_000, "total": 5_000_000}
    return verdict_message(Verdict(number, 0, CAPTURED, decision, steps, camera=camera), FACTS)[1]


def line() -> VisionLine:
    return VisionLine("run", "steel.edgecl", "ab" * 32)


def test_results_of_a_job_that_goes_on():
    vision = line()
    vision.step(vision.states.begin)
    result, steps = vision.take(verdict(3, camera="left"))
    assert result is not None
    assert (result.id, result.job.id, result.recipe) == ("run/left/3", "run/job-1", "steel.edgecl")
    assert (result.ended - result.began).total_seconds() == 0.005
    assert result.state == COMPLETED
    assert steps == ()
    assert vision.newest is result
    assert vision.find("run/left/3") is result
    assert vision.find("run/left/4") is None


def test_without_a_job_verdicts_are_withheld_and_counted():
    vision = line()
    assert vision.take(verdict()) == (None, ())
    vision.step(vision.states.begin)
    vision.step(vision.states.stop)
    assert vision.take(verdict())[0] is None
    assert (vision.withheld, vision.published) == (2, 0)


def test_a_single_job_takes_one_result_under_the_names_of_its_client():
    vision = line()
    vision.step(vision.states.begin)
    vision.step(vision.states.stop)
    vision.step(vision.states.start_single_job, measurement="m", part="p", product="q")
    result, steps = vision.take(verdict())
    assert result is not None
    assert (result.job.id, result.job.measurement, result.job.part, result.job.product) == (
        "run/job-2",
        "m",
        "p",
        "q",
    )
    assert [step.number for step in steps] == [760]
    assert vision.take(verdict(1))[0] is None


def test_after_an_error_a_job_keeps_the_names_of_its_client():
    vision = line()
    vision.step(vision.states.begin)
    vision.step(vision.states.stop)
    vision.step(vision.states.start_continuous, part="coil 7")
    vision.step(vision.states.fault)
    during, _ = vision.take(verdict())
    vision.step(vision.states.recover)
    after, _ = vision.take(verdict(1))
    assert during is not None
    assert after is not None
    assert (during.job.id, after.job.id) == ("run/job-2", "run/job-3")
    assert after.job.part == "coil 7"


def test_late_and_faulty_frames_failed():
    vision = line()
    vision.step(vision.states.begin)
    for status in Status:
        result, _ = vision.take(verdict(status=status))
        assert result is not None
        assert result.state == (FAILED if status in (Status.LATE, Status.FAULT) else COMPLETED)


def test_the_oldest_results_are_forgotten():
    vision = line()
    vision.step(vision.states.begin)
    for number in range(KEPT + 1):
        vision.take(verdict(number))
    assert vision.find("run/0") is None
    assert vision.find(f"run/{KEPT}") is vision.newest


def test_results_are_found_by_what_they_belong_to():
    vision = line()
    vision.step(vision.states.begin)
    vision.take(verdict(0))
    vision.take(verdict(1, Status.FAULT))
    vision.step(vision.states.stop)
    vision.step(vision.states.start_continuous, part="p")
    vision.take(verdict(2))
    assert [r.id for r in vision.matching(0, {})] == ["run/2", "run/1", "run/0"]
    assert [r.id for r in vision.matching(FAILED, {})] == ["run/1"]
    assert [r.id for r in vision.matching(0, {"part": "p", "run": "run"})] == ["run/2"]
    assert [r.id for r in vision.matching(0, {"job": "run/job-1"})] == ["run/1", "run/0"]
    assert vision.matching(0, {"recipe": "another"}) == []
