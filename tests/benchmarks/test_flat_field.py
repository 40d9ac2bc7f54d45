"""The benchmark of flat-fields runs, on small frames."""

from benchmarks.flat_field import measured


def test_every_kind_is_measured_beside_the_plain_path():
    lines = list(measured((100, 120), 1))
    assert len(lines) == 8
    assert all("plain" in line and line.endswith("x") for line in lines)
