"""Whether two frames show the same, but for the noise of the sensor."""

from __future__ import annotations

from runtime.health.statistics import CELL, FrameStatistics, square_mean

_NOTHING = 0.05
# Mean square, in levels: less is rounding, and two such frames are the same without noise.


class Still:
    """A frame that others are compared with.

    Noise is known by its form, so that no sensor has to be described: it is as strong in the mean
    over a cell as independent pixels leave it, and it is weak beside the texture that both
    frames share. Where noise is all that can be seen, nothing tells a still camera from
    metal that runs by, and frames do not count as the same.

    Args:
        frame: of any size.
    """

    def __init__(self, frame: FrameStatistics) -> None:
        self._frame = frame
        self._texture: float | None = None

    def shows_the_same(self, frame: FrameStatistics, *, structure: float, share: float) -> bool:
        """Compare a frame with this one; one of another size or depth does not show the same.

        Args:
            frame: the other one.
            structure: how many times the variance of local means may be that of white noise.
            share: how much of the change that unrelated images would show may be there.
        """
        first = self._frame
        if frame.form != first.form:
            return False
        change = square_mean(frame.samples, first.samples)
        if change <= _NOTHING:
            return True
        # Texture is a part of the variance, and little of what is noise is in local means. So on
        # metal that runs by, the change alone tells most frames apart.
        if change * (1 - structure / CELL**2) > 2 * share * first.variance:
            return False
        local = square_mean(frame.cells, first.cells)
        if local * CELL**2 > structure * change:
            return False
        return change - local <= 2 * share * self._texture_of_first()

    def _texture_of_first(self) -> float:
        """Return what varies within the cells."""
        if self._texture is None:
            self._texture = self._frame.square_mean - square_mean(self._frame.cells)
        return self._texture
