"""The packages that edgecl is installed with, told apart from files that hide them.

`runtime`, `export` and `calibration` are common names: where the current folder has a module of
that name, `python -m edgecl` would import it in place of ours. Nothing but the standard library is
imported here.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

PACKAGES = ("runtime", "calibration", "export")


class HiddenPackageError(ImportError):
    """A file outside edgecl's installation hides one of its packages.

    Args:
        name: of the package.
        path: what is in the way.
    """

    hint = (
        "rename it, use the 'edgecl' command instead of 'python -m edgecl', or start in another "
        "folder"
    )
    exit_code = 2
    code = "module-hidden"

    def __init__(self, name: str, path: Path) -> None:
        self.problem = f"{path} hides edgecl's package {name!r}"
        super().__init__(f"{self.problem}; {self.hint}", name=name, path=str(path))

    def to_json(self) -> dict[str, str | int]:
        """Return the error as an object, as `EdgeclError.to_json` would."""
        return {
            "code": self.code,
            "message": self.problem,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


def require_own_packages() -> None:
    """Make sure that imports reach edgecl's own packages.

    Raises:
        HiddenPackageError: names the file in the way, and what to do.
    """
    home = Path(__file__).resolve().parents[1]
    edgecl = sys.modules["edgecl"]
    if getattr(edgecl, "__file__", None) is None:
        # A plain folder of that name, beside an editable installation: Python joined the two.
        others = [Path(part) for part in edgecl.__path__ if Path(part).resolve().parent != home]
        raise HiddenPackageError("edgecl", next(iter(others), home / "edgecl"))
    for name in PACKAGES:
        found = _file_of(name)
        if found is not None and found.resolve().parents[1] != home:
            shown = found.parent if found.name == "__init__.py" else found
            raise HiddenPackageError(name, shown)


def _file_of(name: str) -> Path | None:
    """The file that `import NAME` loads, or has loaded; None where it has none."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
    else:
        spec = importlib.util.find_spec(name)
        file = spec.origin if spec is not None and spec.has_location else None
    return None if file is None else Path(file)
