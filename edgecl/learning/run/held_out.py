"""Images that are held out, and what may not see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecl.data.dataset import ImageSet
from edgecl.data.pixels.selection import ImageRows
from edgecl.data.splits import Split
from edgecl.learning.config import TrainConfig
from edgecl.learning.run.leaks import copies_of, leak_note, thumbnails
from runtime.counting import counted
from runtime.errors import InputError


def held_out(dataset: ImageSet, split: Split) -> ImageRows:
    """Return the images that a run is validated and tested on."""
    return dataset.images[np.concatenate((split.validation, split.test))]


def admit(
    copies: NDArray[np.bool_], what: str, where: str, config: TrainConfig, notes: list[str]
) -> None:
    """Refuse a pretraining that sees held-out images, or note that it was allowed to.

    Args:
        copies: bool, N, which of the images these are.
        what, where: the images, and the place that they come from, for the message.

    Raises:
        InputError: there are some, and the user did not allow the leak.
    """
    count = int(copies.sum())
    if not count:
        return
    if not config.allow_leak:
        raise InputError(
            f"{count} of {len(copies)} {what} are copies of validation or test images ({where})",
            hint="remove them ('edgecl audit' lists the pairs), or pass --allow-leak, "
            "which marks every figure",
        )
    notes.append(leak_note(count, len(copies), what))


def of_the_train_part(
    seen: NDArray[np.uint8], dataset: ImageSet, split: Split
) -> NDArray[np.bool_]:
    """Return which thumbnails are those of images of the train part, bool N.

    Args:
        seen: uint8, N×32×32.
    """
    own = {one.tobytes() for one in thumbnails(dataset.images[split.train])}
    return np.array([one.tobytes() in own for one in seen], np.bool_)


def left_across(dataset: ImageSet, split: Split) -> list[str]:
    """Return a note where images of the train part look like held-out ones of other groups."""
    copies = copies_of(dataset.images[split.train], held_out(dataset, split))
    count = int(copies.sum())
    if not count:
        return []
    first = dataset.files[int(split.train[int(copies.argmax())])]
    return [
        f"{counted(count, 'image')} of the train part of {len(copies)} "
        f"{'looks' if count == 1 else 'look'} like held-out images of other overlap groups "
        f"(first: {first}); if they show the same metal, give them one group, for "
        "accuracy is too high with them"
    ]
