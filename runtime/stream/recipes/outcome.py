"""Documents of a change of recipe: what came of a request, and which recipes a stream has."""

from __future__ import annotations

from typing import ClassVar, Literal

from runtime.files.document import Document


class RecipeOutcome(Document, frozen=True, kw_only=True):
    """Outcome of a request for another recipe.

    Args:
        ok: whether frames are judged by the recipe that was asked for.
        code: stable name of why not; empty where `ok`. One of the error codes.
        message: why not, in words.
        hint: what to do next.
        recipe, digest: what frames are judged by now.
        previous: the recipe that a roll-back would bring back; empty where there is none.
        seconds: how long the request took.
    """

    WHAT: ClassVar[str] = "the outcome of a change of recipe"
    REMEDY: ClassVar[str] = "make one with 'edgecl recipe --json'"

    schema: Literal[1] = 1
    ok: bool
    code: str = ""
    message: str = ""
    hint: str = ""
    recipe: str
    digest: str
    previous: str = ""
    seconds: float = 0.0


class RecipeState(Document, frozen=True, kw_only=True):
    """The recipes of a running stream.

    Args:
        recipe, digest: what frames are judged by now.
        model: path of its bundle.
        previous: the recipe that a roll-back would bring back; empty where there is none.
        recipes: ids that can be asked for.
        changing: the recipe that is being opened; empty where none is.
        changes: how often the recipe was changed.
        refused: requests that were refused.
    """

    WHAT: ClassVar[str] = "the recipes of a stream"
    REMEDY: ClassVar[str] = "make them with 'edgecl recipe --json'"

    schema: Literal[1] = 1
    recipe: str
    digest: str
    model: str
    previous: str
    recipes: tuple[str, ...]
    changing: str
    changes: int
    refused: int
