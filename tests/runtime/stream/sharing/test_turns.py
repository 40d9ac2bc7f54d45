"""Turns at a session: nobody starves, whoever asks how often."""

from __future__ import annotations

from runtime.stream.sharing.turns import Turns


def served(turns: Turns[str], count: int) -> list[str | None]:
    return [turns.next() for _ in range(count)]


def test_requests_of_one_owner_stay_in_order():
    turns: Turns[str] = Turns()
    for request in ("a1", "a2", "a3"):
        turns.join("a", request)
    assert len(turns) == 3
    assert served(turns, 4) == ["a1", "a2", "a3", None]


def test_owners_alternate_however_many_requests_one_has():
    turns: Turns[str] = Turns()
    for number in range(4):
        turns.join("a", f"a{number}")
    turns.join("b", "b0")
    turns.join("c", "c0")
    assert served(turns, 6) == ["a0", "b0", "c0", "a1", "a2", "a3"]


def test_who_was_served_least_recently_goes_first():
    turns: Turns[str] = Turns()
    turns.serve("b")
    turns.serve("a")
    turns.join("a", "a0")
    turns.join("b", "b0")
    turns.join("new", "new0")
    assert served(turns, 3) == ["new0", "b0", "a0"]


def test_a_flood_delays_another_by_one_turn_each_time():
    turns: Turns[str] = Turns()
    order = []
    for number in range(20):
        for copy in range(3):
            turns.join("flood", f"f{number}-{copy}")
        turns.join("slow", f"s{number}")
        order += [turns.next(), turns.next()]
    assert [request for request in order if str(request).startswith("s")] == [
        f"s{number}" for number in range(20)
    ]
