"""Do heat maps point at the defect? The hottest place of each, held against the defect's pixels.

Beside it stand the simplest rival, the middle of the worst tile, which every verdict names (the
middle of the frame where there are no tiles), and chance, the defects' share of the area. Only
images that got their right label count. A place counts as inside up to `--near` pixels from the
defect, for all three alike.

A map that points elsewhere may be right all the same: the network may know the label by the metal
around. So the defect is painted out, with the grain of its surroundings, and it is counted how
often the label stays, and how often the map points at the defect where it does not.

    edgecl train --out runs/drawn --epochs 12 && edgecl export runs/drawn --heat-maps --out drawn
    python benchmarks/heat_maps.py --model drawn.edgecl --drawn 210
    edgecl train --data neu_cls --out runs/neu && edgecl export runs/neu --heat-maps --out neu
    python benchmarks/heat_maps.py --model neu.edgecl --run runs/neu --data neu_cls \
        --masks sd_saliency_900/masks

The drawn steel knows where its defects are: the same strip is drawn with and without. SD-saliency
has masks for half of NEU's images; those of the run's test part are looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.script import run_script
from runtime.artifact.bundle import load_bundle
from runtime.image.decode import read_gray
from runtime.image.heat_map import evidence, laid_together, overlay, peak, windows
from runtime.image.preprocess import Preprocessor
from runtime.machine import read_cpu
from runtime.session.activation import open_activation
from runtime.session.opening import open_session
from runtime.session.tiles import image_answer, infer_tiles
from runtime.statistics import share_interval
from runtime.surfaces import Zone, draw_strip
from runtime.surfaces.defects import DEFECTS
from runtime.surfaces.texture import sensed

FRAME, ZONE = (192, 480), (80, 140)
"""Size of the drawn frames, and the fewest and most columns that a defect fills."""

VISIBLE = 12
"""Gray levels by which a defect has to change a pixel to be its own."""

MARGIN = 4
"""Pixels around a defect that are painted out with it."""

PREFIXES = {"inclusion": "In", "patches": "Pa", "scratches": "Sc"}
"""NEU's classes that SD-saliency has masks for."""


@dataclass(frozen=True)
class Scene:
    """An image, its label, and where its defect is.

    Args:
        image: uint8, H×W.
        mask: bool, H×W.
    """

    name: str
    label: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


@dataclass
class Tally:
    """How often each way of pointing hit, and how often the label outlived its defect.

    Args:
        images: with the right label, of which all others are counted.
        mistaken: with another one.
        heat, rival: images in which the hottest place, or the rival's, is inside.
        stays: images whose label stays without the defect.
        needed: of the others, those in which the hottest place is inside.
        chance: share of each image that is defect.
    """

    images: int = 0
    mistaken: int = 0
    heat: int = 0
    rival: int = 0
    stays: int = 0
    needed: int = 0
    chance: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """Return shares, with 95 % Wilson intervals."""
        shares = {
            name: {"share": hits / self.images, "interval": share_interval(hits, self.images)}
            for name, hits in (("heat", self.heat), ("rival", self.rival), ("stays", self.stays))
            if self.images
        }
        chance = statistics.fmean(self.chance) if self.chance else None
        falls = self.images - self.stays
        if falls:
            needed = {"share": self.needed / falls, "interval": share_interval(self.needed, falls)}
            shares["heat_where_needed"] = needed
        return {"images": self.images, "mistaken": self.mistaken, **shares, "chance": chance}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True, help="bundle with heat maps")
    parser.add_argument("--drawn", type=int, help="number of drawn frames to look at")
    parser.add_argument("--run", type=Path, help="the bundle's run, which knows its test part")
    parser.add_argument("--data", type=Path, help="NEU's class folders")
    parser.add_argument("--masks", type=Path, help="masks of SD-saliency-900")
    parser.add_argument("--near", type=int, default=0, help="pixels that count as inside")
    parser.add_argument("--save", type=Path, help="folder for images of every 10th heat map")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.drawn:
        scenes = drawn_scenes(arguments.drawn)
    else:
        scenes = masked_scenes(arguments.run, arguments.data, arguments.masks)
    tallies, times = measure(arguments.model, scenes, arguments.near, arguments.save)
    report = {
        "cpu": read_cpu(),
        "near": arguments.near,
        "map_ms": statistics.median(times) if times else None,
        "labels": {label: tally.to_json() for label, tally in tallies.items()},
    }
    if arguments.json:
        json.dump(report, sys.stdout, indent=2)
        print()
        return
    for label, tally in tallies.items():
        show(label, tally)
    if times:
        print(f"a map takes {statistics.median(times):.1f} ms in one thread")


def drawn_scenes(count: int) -> Iterator[Scene]:
    """Draw frames of sound steel with one defect each, which fills some of its columns."""
    labels = list(DEFECTS)
    for number in range(count):
        label = labels[number % len(labels)]
        rng = np.random.default_rng([17, number])
        width = int(rng.integers(ZONE[0], ZONE[1] + 1))
        start = int(rng.integers(0, FRAME[1] - width + 1))
        zone = Zone(start, start + width, label)
        seed = int(rng.integers(2**32))
        # The generator draws the steel first, and the defects last.
        strip, sound = (
            draw_strip(FRAME, np.random.default_rng(seed), zones=zones, scale=1.0).pixels
            for zones in ((zone,), ())
        )
        mask = np.abs(strip.astype(np.int16) - sound) >= VISIBLE
        if mask.any():
            image = sensed(strip, rng.uniform(1, 4), rng)
            yield Scene(f"drawn_{number:04d}", label, image, mask)


def masked_scenes(run: Path, data: Path, masks: Path) -> Iterator[Scene]:
    """Read the images of a run's test part that have a mask."""
    with open(run / "predictions.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name, label = Path(row["file"]).stem, row["truth"]
            if label not in PREFIXES:
                continue
            number = name.rpartition("_")[2]
            mask = read_gray(masks / f"{PREFIXES[label]}_{number}.png") > 127
            yield Scene(name, label, read_gray(data / row["file"]), mask)


def measure(
    model: Path, scenes: Iterator[Scene], near: int, save: Path | None = None
) -> tuple[dict[str, Tally], list[float]]:
    """Point at the defects of all scenes.

    Args:
        near: pixels around a defect that count as inside.
        save: folder for images of every tenth heat map.

    Returns:
        What was hit, by label and of `all`; and milliseconds of each map.
    """
    bundle = load_bundle(model)
    maps = open_activation(bundle)
    contract = bundle.contract
    preprocess = Preprocessor(contract.input)
    tallies: dict[str, Tally] = defaultdict(Tally)
    times: list[float] = []
    with open_session(bundle, "fp32", engine="onnxruntime", threads=1) as session:
        for number, scene in enumerate(scenes):
            tiles = preprocess.prepare(scene.image)
            answer = image_answer(infer_tiles(session, tiles)[0], contract)
            rows = (tallies[scene.label], tallies["all"])
            label = contract.labels.index(scene.label)
            if answer.probabilities.argmax() != label:
                for tally in rows:
                    tally.mistaken += 1
                continue
            size = (scene.image.shape[0], scene.image.shape[1])
            start = time.perf_counter()
            _, activation = maps.run(tiles)
            heat = laid_together(
                evidence(activation, label, contract.passing),
                windows(size, contract.input),
                maps.cells,
                contract.input.shape,
                size,
            )
            left, top = peak(heat, size)
            times.append((time.perf_counter() - start) * 1e3)
            middle = (size[0] // 2, size[1] // 2)
            if answer.worst is not None:
                place = preprocess.place(answer.worst)
                assert place is not None
                middle = (place.top + place.height // 2, place.left + place.width // 2)
            mask = widened(scene.mask, near)
            without = preprocess.prepare(painted_out(scene.image, scene.mask))
            after = image_answer(infer_tiles(session, without)[0], contract).probabilities
            for tally in rows:
                tally.images += 1
                tally.heat += int(mask[top, left])
                tally.rival += int(mask[middle])
                stays = after.argmax() == label
                tally.stays += int(stays)
                tally.needed += int(not stays and mask[top, left])
                tally.chance.append(float(mask.mean()))
            if save is not None and number % 10 == 0:
                _save(save / f"{scene.name}.png", scene, heat, (left, top))
    return dict(tallies), times


def widened(mask: NDArray[np.bool_], near: int) -> NDArray[np.bool_]:
    """Return a mask with all that is at most `near` pixels from it."""
    if not near:
        return mask
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(far <= near)


def painted_out(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return an image without its defect: what surrounds it goes on, smooth and with its grain."""
    hole = widened(mask, MARGIN)
    smooth = cv2.inpaint(image, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.float32)
    grain = (image - cv2.GaussianBlur(image.astype(np.float32), (0, 0), 3))[~hole]
    if grain.size:
        smooth[hole] += np.random.default_rng(0).choice(grain, int(hole.sum()))
    return np.asarray(np.clip(np.rint(smooth), 0, 255), np.uint8)


def show(label: str, tally: Tally) -> None:
    """Print one label's row."""
    if not tally.images:
        print(f"{label:16s} no image with the right label ({tally.mistaken} mistaken)")
        return
    cells = []
    for hits in (tally.heat, tally.rival, tally.stays):
        low, high = share_interval(hits, tally.images)
        cells.append(f"{hits / tally.images:6.1%} ({low:.1%} to {high:.1%})")
    chance = statistics.fmean(tally.chance)
    where_needed = f"{tally.needed} of {tally.images - tally.stays}"
    print(
        f"{label:16s} {tally.images:4d} images ({tally.mistaken} mistaken): heat {cells[0]}, "
        f"rival {cells[1]}, chance {chance:.1%}; painted out, the label stays {cells[2]}; "
        f"heat where it does not: {where_needed}",
        flush=True,
    )


def _save(path: Path, scene: Scene, heat: NDArray[np.float32], hottest: tuple[int, int]) -> None:
    """Write the image, the defect's outline and the heat map, one below the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = cv2.cvtColor(scene.image, cv2.COLOR_GRAY2BGR)
    outlined = plain.copy()
    shapes, _ = cv2.findContours(
        scene.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(outlined, shapes, -1, (0, 200, 0), 1)
    hot = overlay(scene.image, heat)
    hot = cv2.resize(hot, (plain.shape[1], plain.shape[0]))
    cv2.drawMarker(hot, hottest, (255, 255, 0), cv2.MARKER_CROSS, 12, 1)
    cv2.imwrite(str(path), np.vstack([plain, outlined, hot]))


if __name__ == "__main__":
    run_script(main)
