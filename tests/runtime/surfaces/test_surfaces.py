import numpy as np
import pytest

from runtime.errors import InputError
from runtime.surfaces import CLEAN, LABELS, Strip, Zone, draw_strip, draw_surface, plan_zones, whole
from runtime.surfaces.defects import DEFECTS
from runtime.surfaces.strip import LONGEST_ZONE, shuffled_defects
from runtime.surfaces.texture import sensed


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("shape", [(128, 128), (33, 801), (801, 33), (16, 16), (70, 600)])
def test_every_surface_has_the_shape_that_was_asked_for(label: str, shape: tuple[int, int]) -> None:
    image = draw_surface(label, shape, np.random.default_rng(3))
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert image.std() > 1


@pytest.mark.parametrize("label", LABELS)
def test_the_generator_alone_decides_the_image(label: str) -> None:
    first, same, other = (
        draw_surface(label, (64, 64), np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("label", LABELS[1:])
def test_a_defect_changes_the_steel_inside_its_zone_only(label: str) -> None:
    sound, marked = (
        draw_strip((128, 512), np.random.default_rng(11), zones=zones).pixels
        for zones in ((), (Zone(200, 340, label),))
    )
    changed = (sound != marked).any(axis=0).nonzero()[0]
    # The lens blurs a few columns beyond the zone.
    assert 197 <= changed.min() < 230
    assert 310 < changed.max() <= 342
    difference = np.abs(sound.astype(int) - marked)
    assert difference.max() > 0.15 * sound.mean()


def test_a_defect_darker_than_black_stays_black(monkeypatch: pytest.MonkeyPatch) -> None:
    pit = np.full((64, 64), -1.9, np.float32)
    monkeypatch.setitem(DEFECTS, "patches", lambda *_: pit)
    sound, black = (
        draw_strip((64, 64), np.random.default_rng(0), zones=whole(label, 64), scale=1.0).pixels
        for label in (CLEAN, "patches")
    )
    assert black.mean() < 0.5 * sound.mean()


def test_a_zone_fades_at_its_ends_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEFECTS, "patches", lambda shape, *_: np.full(shape, -0.5, np.float32))
    sound, marked = (
        draw_strip((128, 1200), np.random.default_rng(0), zones=zones).pixels.astype(float)
        for zones in ((), (Zone(300, 900, "patches"),))
    )
    change = marked - sound
    assert np.abs(change[:, 298:301]).max() < 10
    assert np.abs(change[:, 899:902]).max() < 10
    assert (change / sound)[:, 420:780].max() < -0.3


def test_exposure_varies_widely_and_independently_of_the_label() -> None:
    rng = np.random.default_rng(0)
    means = {
        label: [draw_surface(label, (32, 32), rng).mean() for _ in range(60)] for label in LABELS
    }
    spread = np.mean([np.std(values) for values in means.values()])
    assert spread > 20
    assert np.std([np.mean(values) for values in means.values()]) < spread / 2


def test_a_label_that_does_not_exist_is_named_with_the_ones_that_do() -> None:
    with pytest.raises(InputError, match=r"unknown surface 'rust'.*pitted_surface"):
        draw_surface("rust", (64, 64), np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(0, 64), (64, 15), (64, 1_000_000)])
def test_a_size_that_cannot_be_drawn_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="cannot draw"):
        draw_surface(CLEAN, shape, np.random.default_rng(0))


@pytest.mark.parametrize(("start", "stop"), [(-1, 50), (50, 50), (60, 50), (50, 201)])
def test_a_zone_must_lie_on_its_strip(start: int, stop: int) -> None:
    with pytest.raises(InputError, match="on a strip of 200 columns"):
        draw_strip((64, 200), np.random.default_rng(0), zones=[Zone(start, stop, "patches")])


@pytest.mark.parametrize("label", LABELS[1:])
def test_the_longest_and_the_shortest_zone_can_be_drawn(label: str) -> None:
    zones = [Zone(0, LONGEST_ZONE, label), Zone(LONGEST_ZONE + 10, LONGEST_ZONE + 11, label)]
    strip = draw_strip((16, LONGEST_ZONE + 30), np.random.default_rng(0), zones=zones)
    assert strip.zones == tuple(zones)


def test_the_planned_zones_bring_every_defect_before_one_comes_again() -> None:
    rng = np.random.default_rng(1)
    zones = plan_zones(6000, 128, shuffled_defects(rng), rng)
    names = [zone.label for zone in zones]
    assert len(names) >= 12
    assert set(names[:6]) == set(names[6:12]) == set(LABELS[1:])


def test_clean_steel_of_a_window_lies_between_zones_and_at_both_ends() -> None:
    rng = np.random.default_rng(2)
    zones = plan_zones(6000, 128, shuffled_defects(rng), rng)
    edges = [0, *(edge for zone in zones for edge in (zone.start, zone.stop)), 6000]
    assert all(stop - start >= 128 for start, stop in zip(edges[::2], edges[1::2], strict=True))


@pytest.mark.parametrize(
    ("start", "label"),
    [
        (0, CLEAN),  # nothing in sight
        (29, CLEAN),  # 29 columns of the first zone
        (30, "patches"),  # 30 columns, the least that counts
        (90, "patches"),  # 60 of the first, 40 of the second
        (120, "scratches"),  # 30 of the first, 70 of the second
        (230, CLEAN),  # 20 columns of the second
    ],
)
def test_the_zone_that_dominates_a_window_gives_its_label(start: int, label: str) -> None:
    pixels = np.zeros((20, 400), np.uint8)
    strip = Strip(pixels, (Zone(100, 150, "patches"), Zone(150, 250, "scratches")))
    assert strip.label(start, 100) == label


def test_two_zones_of_one_defect_count_together() -> None:
    strip = Strip(np.zeros((20, 200), np.uint8), (Zone(0, 20, "patches"), Zone(80, 100, "patches")))
    assert strip.label(0, 100) == "patches"


def test_overlapping_windows_of_a_strip_show_the_same_steel() -> None:
    strip = draw_strip((64, 400), np.random.default_rng(4))
    assert np.array_equal(strip.window(100, 64)[:, 16:], strip.window(116, 64)[:, :-16])


def test_the_same_surface_is_seen_whatever_the_resolution() -> None:
    # A frame and a training image are stretched to one size: the grain of both must agree.
    roughness = []
    for side in (128, 256):
        rng = np.random.default_rng(8)
        images = [draw_surface("pitted_surface", (side, side), rng) for _ in range(25)]
        small = [p.reshape(64, side // 64, 64, side // 64).mean(axis=(1, 3)) for p in images]
        roughness.append(np.mean([np.abs(np.diff(p, axis=1)).mean() / p.mean() for p in small]))
    assert roughness[0] == pytest.approx(roughness[1], rel=0.3)


def test_sensor_noise_has_its_sigma_and_no_bias() -> None:
    gray = np.full((200, 200), 120, np.uint8)
    noise = sensed(gray, 3.0, np.random.default_rng(0)).astype(float) - 120
    assert noise.std() == pytest.approx(3.0, rel=0.05)
    assert abs(noise.mean()) < 0.1


def test_sensor_noise_stays_within_black_and_white() -> None:
    ends = np.array([[0] * 100, [255] * 100], np.uint8)
    noisy = sensed(ends, 5.0, np.random.default_rng(0))
    assert noisy[0].max() < 40
    assert noisy[1].min() > 215
