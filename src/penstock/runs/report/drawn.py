"""The picture of a run's flow, drawn from the copy of the flow that the run keeps."""

from __future__ import annotations

from pathlib import Path

from penstock.drawing.scene import scene_of
from penstock.drawing.svg import svg
from penstock.errors import PenstockError
from penstock.frontends.load import load
from penstock.graph.flow import Flow
from penstock.records import Run

_LARGEST = 3_000_000
"""Characters of a picture; a larger one would make the page slow, and shows nobody anything."""


def picture_of(run: Run) -> tuple[str | None, str]:
    """The picture as SVG, and where there is none a sentence that says why (empty for a run that keeps no files).

    Nothing of the flow is imported, except where its code alone says what the graph is (modules of functions).
    """
    folder = Path(run.folder) / "snapshot"
    if not run.folder or not folder.is_dir():
        return None, ""
    try:
        drawn = svg(scene_of(_flow(run, folder)), styled=False, stat=True)
    except PenstockError as error:
        return None, _sentence(error.message.splitlines()[0], folder)
    except (Exception, SystemExit) as error:  # the flow's own code, which may do anything when it is imported
        return None, _sentence(f"{type(error).__name__}: {error}", folder)
    if len(drawn) > _LARGEST:
        return None, "This run's flow is too large for a picture on this page; see it with `penstock flow show`."
    return drawn, ""


def _flow(run: Run, folder: Path) -> Flow:
    told = run.properties
    name = Path(run.flow).name
    return load(
        folder / name if (folder / name).is_file() or ":" in name else folder,
        variants=run.variant,
        connections=told.get("connections") or {},
        init=told.get("init") or {},
        config=told.get("config") or {},
        outputs=tuple(told.get("outputs") or ()),
    )


def _sentence(message: str, folder: Path) -> str:
    # Where the run is kept says something about the machine, and nothing to whoever is sent the page.
    said = message.replace(f"{folder}/", "").replace(str(folder), "its folder")
    return f"The copy of this run's flow cannot be loaded any more, so there is no picture of it: {said}"
