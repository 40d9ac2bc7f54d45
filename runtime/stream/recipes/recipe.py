"""A recipe of the line: an open model, and all that belongs to it and not to the camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.artifact.scene import SceneRecord
from runtime.camera.base import Frame
from runtime.health import HealthLimits
from runtime.novelty import Novelty
from runtime.session.base import Session
from runtime.stream.rules import Rules
from runtime.stream.verdict import Verdict

if TYPE_CHECKING:
    from runtime.artifact.manifest import Manifest
    from runtime.stream.pipeline import Settings


@dataclass(frozen=True)
class RecipeMark:
    """The name that verdicts carry of what made them.

    Args:
        id: as a machine asks for it; empty where the stream has no recipes.
        digest: of the bundle's manifest; empty where the model is a file without one.
        bundle: the bundle's name.
        labels: the model's, in the order of its probabilities.
    """

    id: str = ""
    digest: str = ""
    bundle: str = ""
    labels: tuple[str, ...] = ()

    @classmethod
    def of(cls, recipe: str, model: Path, manifest: Manifest | None) -> RecipeMark:
        """Return the mark of a recipe.

        Args:
            recipe: its id.
            model: path of its bundle.
            manifest: of the bundle; None where there is none.
        """
        if manifest is None:
            return cls(recipe, bundle=model.name)
        return cls(recipe, manifest.digest, model.name, tuple(manifest.contract.labels))


@dataclass(frozen=True)
class LineRecipe:
    """Model and rules that frames are judged by.

    Args:
        session: the model, open and warm; it stays its opener's to close. It knows labels,
            geometry and region of interest.
        rules: what frames are held to. Budget and `on_late` are the stream's.
        health: beyond which limits a frame is at fault; None to look at no frame's health.
        novelty: from where on a frame is unknown; None to call none so.
        mark: what its verdicts carry.
        model: path of the bundle, graph or engine; empty where it is not known.
        scene: what the model was trained on, where the bundle tells.
        on_reject: see `Judge`.
        on_verdict: see `Judge`.
    """

    session: Session
    rules: Rules = field(default_factory=Rules)
    health: HealthLimits | None = None
    novelty: Novelty | None = None
    mark: RecipeMark = field(default_factory=RecipeMark)
    model: str = ""
    scene: SceneRecord | None = None
    on_reject: Callable[[Frame, Verdict], None] | None = None
    on_verdict: Callable[[Frame, Verdict], None] | None = None

    def settled(self, settings: Settings) -> Settings:
        """Return the settings of a stream that begins with this recipe."""
        return replace(settings, rules=self.rules, health=self.health, novelty=self.novelty)

    @classmethod
    def of(
        cls,
        session: Session,
        settings: Settings,
        mark: RecipeMark,
        model: str = "",
        scene: SceneRecord | None = None,
    ) -> LineRecipe:
        """Return the recipe of a stream's settings."""
        return cls(session, settings.rules, settings.health, settings.novelty, mark, model, scene)
