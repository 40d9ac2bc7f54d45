"""Choices of `edgecl run`: the values of its options, and the parts that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgecl.cli.run.cameras import CameraChoice
from edgecl.cli.run.recipes.choices import RecipeChoice
from edgecl.cli.verb import flag_of, naming_place
from runtime.errors import InputError

if TYPE_CHECKING:
    from runtime.artifact.bundle import Bundle
    from runtime.artifact.manifest import Manifest
    from runtime.artifact.scene import SceneRecord
    from runtime.health import HealthLimits
    from runtime.novelty import Novelty
    from runtime.progress import Say
    from runtime.realtime import Granted
    from runtime.session.opening import ServerChoice
    from runtime.stream.rules import Rules
    from runtime.stream.sinks.journal_rules import JournalRules
    from runtime.stream.summary import Realtime


@dataclass(frozen=True, kw_only=True)
class RunChoices:
    """Values of the options, as they were given or by default; each is named as its parameter.

    `cameras` is what `source` and the options about cameras come to, and `recipes` what `recipe`
    does; the stream begins with the first of them. `shared` holds for all recipes, where these are
    the choices of one.
    """

    source: tuple[str, ...]
    cameras: tuple[CameraChoice, ...]
    every_frame: bool | None
    frames: int | None
    fps: float | None
    login_file: Path | None
    give_up_after: float | None
    trigger: str | None
    settings: tuple[str, ...]
    bits: int | None
    roi: str | None
    flat: Path | None
    health: str
    health_limits: tuple[str, ...]
    model: Path | None
    recipe: tuple[str, ...]
    recipes: tuple[RecipeChoice, ...]
    begin_with: str | None
    shadow: Path | None
    verify_key: Path | None
    precision: str
    engine: str
    device: str
    url: str | None
    server_model: str | None
    server_token: Path | None
    server_ca: Path | None
    server_give_up_after: float | None
    workspace: int | None
    builder_level: int | None
    threads: int | None
    workers: int
    budget: str | None
    max_misses: float
    on_late: str
    pass_labels: tuple[str, ...]
    unsure_below: tuple[str, ...]
    debounce: str | None
    unknown: str
    unknown_above: float
    part_of: str | None
    part_deadline: str | None
    sinks: tuple[str, ...]
    lot: str | None
    journal_rotate: str | None
    journal_keep: int | None
    journal_fsync: str
    metrics: str | None
    heat_maps: int | None
    spool: Path | None
    out: Path | None
    check_parts: Path | None
    check_wrong: int
    check_reference: Path | None
    serve: str | None
    serve_token: Path | None
    serve_cert: Path | None
    serve_key: Path | None
    serve_names: tuple[str, ...]
    as_json: bool
    realtime: bool
    cpus: str | None
    shared: RunChoices | None = field(default=None, repr=False, compare=False)

    @property
    def whole(self) -> RunChoices:
        """The choices as they were given, without what one recipe has of its own."""
        return self.shared or self

    def values(self, model: Path) -> Mapping[str, Any]:
        """The values by parameter.

        Args:
            model: that was taken where none was named.
        """
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        del values["shared"]
        return {**values, "model": None if self.recipes else model}

    def with_recipe(self, recipe: RecipeChoice) -> RunChoices:
        """Return the choices as they are while a recipe judges."""
        return replace(self.whole, model=recipe.model, shared=self.whole, **recipe.own)

    def building(self) -> Mapping[str, Any]:
        """The options about building engines."""
        return {"workspace": self.workspace, "builder_level": self.builder_level}

    def server(self) -> ServerChoice | None:
        """The server that infers; None where this machine does."""
        from runtime.session.opening import ServerChoice

        if self.url is None:
            return None
        return ServerChoice(
            self.url,
            self.server_model or "",
            self.server_token,
            self.server_ca,
            self.server_give_up_after,
        )

    def cores(self) -> tuple[int, ...] | None:
        """Cores to run on; None for all."""
        from runtime.realtime import parse_cpus

        return None if self.cpus is None else parse_cpus(self.cpus)

    def journal(self) -> JournalRules:
        """Return the rules of the stream's own files of verdicts."""
        from runtime.stream.sinks.journal_rules import JournalRules

        return JournalRules.of(self.journal_rotate, self.journal_keep, self.journal_fsync)

    def rules(self, context: click.Context) -> Rules:
        """The rules that frames are judged by.

        Raises:
            InputError: a confidence is given twice.
        """
        from runtime.stream.budget import Budget, parse_budget
        from runtime.stream.rules import Rules, parse_debounce, parse_thresholds
        from runtime.stream.verdict import Status

        with naming_place(context, "budget"):
            budget = parse_budget(self.budget) if self.budget is not None else Budget()
        unsure_below, unsure_below_of = parse_thresholds(self.unsure_below)
        return Rules(
            budget,
            unsure_below,
            None,
            unsure_below_of,
            self.pass_labels,
            None if self.debounce is None else parse_debounce(self.debounce),
            Status(self.on_late),
            self.unknown_above,
        )

    def health_of(
        self, camera: CameraChoice, scene: SceneRecord | None, context: click.Context
    ) -> HealthLimits | None:
        """The limits of a camera's health checks; None where they are off.

        Args:
            camera: one of these choices.
            scene: what the model was trained on, where the bundle tells.

        Raises:
            InputError: a limit is given twice, or the checks of all cameras are off.
        """
        from runtime.health import HealthLimits
        from runtime.health.limits import parse_health_limits

        with naming_place(context, "health_limits"):
            given = parse_health_limits(self.health_limits)
            if camera.health == "on":
                return HealthLimits().learnt(scene).given(given)
            if given and all(other.health == "off" for other in self.cameras):
                raise InputError(
                    "a health limit has no effect with --health off", hint="drop one of the two"
                )
        return None

    def require_labels(self, labels: Sequence[str], context: click.Context) -> None:
        """Refuse rules for labels that the model has not.

        Raises:
            InputError: as for a configuration that belongs to another bundle.
        """
        named = [("pass_labels", label) for label in self.pass_labels]
        named += [
            ("unsure_below", text.rpartition("=")[0]) for text in self.unsure_below if "=" in text
        ]
        for name, label in named:
            if label not in labels:
                raise InputError(
                    f"{flag_of(context, name, label)}: the model has no label {label!r}",
                    hint=f"choose from {', '.join(labels)}, or pass the bundle that this is for",
                )

    def novelty(
        self, source: Path | Bundle, say: Say, manifest: Manifest | None = None
    ) -> Novelty | None:
        """The bundle's knowledge of its training images; None where no frame is called unknown.

        Args:
            source: the bundle, or a file of one.
            say: told where it does not tell.
            manifest: beside the file, where it was read before.

        Raises:
            InputError: it is damaged.
        """
        from runtime.novelty import novelty_beside

        if self.unknown == "off":
            return None
        found = novelty_beside(source, manifest)
        if found is None:
            say(
                "note: the model has no limit for unknown frames, so none is called unknown; "
                "export it again for one"
            )
        return found

    def remarks(self) -> list[str]:
        """Notes on choices that are allowed and dangerous."""
        if self.on_late == "pass":
            return ["note: --on-late pass lets parts go that were not judged in time"]
        return []

    def terms(self, granted: Granted) -> Realtime | None:
        """The operating system's grants as the summary has them; None where none was asked for."""
        from runtime.stream.summary import Realtime

        if not self.realtime and self.cpus is None:
            return None
        return Realtime(
            memory_locked=granted.memory_locked,
            scheduling=granted.scheduling,
            cpus=granted.cpus,
        )
