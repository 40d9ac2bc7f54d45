"""Judges of one recipe, and which recipe judges which frame."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from runtime.camera.base import Camera, Frame
from runtime.errors import FrameError, InputError
from runtime.health import HealthLimits
from runtime.image.preprocess import Preprocessor
from runtime.session.tiles import infer_tiles
from runtime.stream.health import StreamHealth, StreamNovelty
from runtime.stream.judge import Judge
from runtime.stream.ledger import Ledger
from runtime.stream.recipes.recipe import LineRecipe
from runtime.stream.rules import Debouncer, Rules
from runtime.stream.sharing.succession import Succession
from runtime.stream.sinks.base import Sink


class RecipeJudges:
    """All that judges by one recipe: a judge per worker, the health of its frames, its debounce.

    Each change of recipe makes new ones, so that nothing is remembered of the frames before it.

    Args:
        recipe: by which they judge.
        camera: whose frames.
        ledger: the stream's accounts.
        sinks: of the stream.
        succession: the order of the stream's verdicts.
        late_sink: see `Judge`.
        workers: frames that are judged at the same time.

    Raises:
        InputError: a rule names a label that the model has not.
    """

    def __init__(
        self,
        recipe: LineRecipe,
        camera: Camera,
        ledger: Ledger,
        sinks: Sequence[Sink],
        succession: Succession,
        *,
        late_sink: Sink | None = None,
        workers: int = 1,
    ) -> None:
        self.recipe = recipe
        session, rules = recipe.session, recipe.rules
        self.debouncer = Debouncer(rules.debounce)
        self.health: StreamHealth | None = None
        if recipe.health is not None:
            bits = rules.bits or session.contract.input.bits
            self.health = StreamHealth(recipe.health, camera, ledger, bits, roi=session.view.roi)
        self.novelty = StreamNovelty.of(recipe.novelty, session, self.health)
        self.judges = [
            Judge(
                session,
                ledger,
                sinks,
                rules,
                late_sink=late_sink,
                health=self.health,
                on_reject=recipe.on_reject,
                on_verdict=recipe.on_verdict,
                novelty=self.novelty,
                succession=succession,
                mark=recipe.mark,
            )
            for _ in range(workers)
        ]
        self._frames = 0
        self._counting = threading.Lock()

    def change(self, rules: Rules, health: HealthLimits | None) -> None:
        """Judge by other rules from the next frame on; what was seen of frames before stays.

        Args:
            rules: with another debounce, lone rejects are held back as if none had come before.
            health: other limits; without effect where no frame's health is looked at.

        Raises:
            InputError: a rule names a label that the model has not; then nothing is changed.
        """
        for judge in self.judges:
            judge.change(rules)
        if rules.debounce != self.recipe.rules.debounce:
            self.debouncer = Debouncer(rules.debounce)
        if self.health is not None and health is not None:
            self.health.change(health)
        self.recipe = replace(self.recipe, rules=rules, health=health)

    def notes(self) -> list[str]:
        """Return what a reader of the summary has to know, each once."""
        told = [note for judge in self.judges for note in judge.notes]
        told += self.health.notes() if self.health else ()
        return list(dict.fromkeys(told))

    def try_on(self, frame: Frame) -> None:
        """Run the recipe on a frame of the camera, before it judges any.

        So the first frame that it judges does not pay for the set-up of its size.

        Raises:
            InputError: the model does not take the camera's frames.
        """
        if frame.pixels is None:
            return
        session, rules = self.recipe.session, self.recipe.rules
        prepare = Preprocessor(session.contract.input, bits=rules.bits, view=session.view)
        try:
            batch = prepare.prepare(frame.pixels, bits=frame.bits)
            session.prepare(len(batch))
            infer_tiles(session, batch)
        except FrameError as error:
            raise InputError(
                f"its model does not take the camera's frames: {error}",
                hint="export a bundle for this camera, or give the recipe the right one",
                code="recipe-unfit",
            ) from error

    def enter(self) -> None:
        """Count a frame that they are to judge."""
        with self._counting:
            self._frames += 1

    def leave(self) -> None:
        """Be done with a frame."""
        with self._counting:
            self._frames -= 1

    @property
    def busy(self) -> bool:
        """Whether they have a frame that is in flight."""
        return self._frames > 0


class Timetable:
    """Judges of each frame: those of the moment at which its capture began.

    A frame in flight while the recipe changes is judged by the old one, whatever it waits for.
    """

    def __init__(self, first: RecipeJudges) -> None:
        self._lock = threading.Lock()
        self._turns: deque[tuple[int, RecipeJudges]] = deque([(0, first)])

    @property
    def now(self) -> RecipeJudges:
        """Return the judges of frames to come."""
        return self._turns[-1][1]

    def all(self) -> list[RecipeJudges]:
        """Return all judges that may still be asked, the newest last."""
        with self._lock:
            return [judges for _, judges in self._turns]

    def enter(self, start_ns: int) -> RecipeJudges:
        """Return the judges of a frame, which they now have.

        Args:
            start_ns: monotonic nanoseconds when its capture began.
        """
        with self._lock:
            judges = self._turns[0][1]
            for since_ns, others in reversed(self._turns):
                if since_ns <= start_ns:
                    judges = others
                    break
            judges.enter()
        return judges

    def change(self, judges: RecipeJudges, since_ns: int) -> None:
        """Give frames whose capture begins at `since_ns` or later to other judges."""
        with self._lock:
            self._turns.append((since_ns, judges))

    def retire(self, judges: RecipeJudges) -> None:
        """Give these judges no frame any more; those that judge now stay."""
        with self._lock:
            if judges is not self._turns[-1][1]:
                self._turns = deque(turn for turn in self._turns if turn[1] is not judges)
