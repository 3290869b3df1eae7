"""A batch from images to tables: what is to be done, who does it, what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadSetting, SpherosegError
from ..readwrite.atomic import remove_leftovers
from ..segmentation.measure import PixelSize
from ..segmentation.recipe import Recipe
from ..segmentation.run import complete, open_predictor
from ..tracking.motion import require_extra
from .cluster import Where, run_there
from .find import not_taken, output_stems
from .items import Done, File, Item, Source
from .journal import NAME, Journal
from .names import pattern_of
from .outputs import check_outputs
from .pipeline import Event, run_here
from .settings import BatchSettings
from .stages import Job, Todo, discard
from .summary import summarise
from .tables import require_parquet, write_record

if TYPE_CHECKING:
    from distributed import Client

Existing = Literal["continue", "resume", "overwrite"]


_DECIDE = {"outputs", "track", "track_distance", "track_gap"}
"""Settings that results of one folder must share."""


class ChangedRecipe(BadSetting):
    """The folder holds results that were made in another way."""


def run_batch(
    sources: Sequence[Source],
    out: Path,
    model: str = "unet",
    threshold: float = 0.5,
    *,
    pixel_size: PixelSize = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    existing: Existing = "continue",
    client: Client | None = None,
    **settings: Any,
) -> Iterator[Event]:
    """Segment images into a folder; what an earlier run has done there is not done again.

    Parameters
    ----------
    sources : sequence of Source
        Images, as `File` or `Frame`.
    out : Path
        Made if need be; gets the outputs of each image, ``measurements.csv`` for all objects,
        ``images.csv``, ``run.json``, and the journal by which the same call goes on.
    model, threshold, pixel_size, device, backend, precision
        As in `segment`; without a pixel size each file's own.
    existing : {"continue", "resume", "overwrite"}
        What to do where the folder holds results: go on with them, but refuse to mix two recipes;
        go on with their recipe, whatever is asked for now; or delete them and begin anew.
    client : Client, optional
        Of dask.distributed: its workers do the work. See `connect`.
    **settings
        Fields of `BatchSettings`; all others as in `segment`.

    Yields
    ------
    Event
        As images are skipped, go on, are done and fail; one that fails does not stop the others.

    Raises
    ------
    ChangedRecipe
        The folder's results were made in another way.
    SpherosegError
        The model, the device or a setting cannot be used, the folder cannot be written, or
        another process is writing into it.
    """
    wanted = BatchSettings(
        **{name: settings.pop(name) for name in BatchSettings.model_fields if name in settings}
    )
    if existing == "resume" and (made := _made(out)):
        recipe, written = made
        model, threshold = recipe.pop("model"), recipe.pop("threshold")
        pixel_size = recipe.pop("pixel_size")
        settings, wanted = recipe, wanted.replace(**written)
    _check(wanted)
    predictor = open_predictor(model, device, backend, precision)
    complete_recipe = complete(predictor, threshold, pixel_size, settings)
    with Journal(out) as journal:
        remove_leftovers(out)
        if existing == "overwrite":
            _overwrite(journal, out)
        _agree(journal, complete_recipe, wanted)
        skipped, todo = _sort(sources, journal, out)
        yield from (Event(item) for item in skipped)
        job = Job(out, complete_recipe, wanted)
        if client is None:
            events = run_here(todo, job, predictor)
        else:
            events = run_there(todo, job, Where(device, backend, precision), client)
        yield from _run(events, job, journal)


def segment_files(
    paths: Iterable[Path], out: Path, *recipe: Any, **settings: Any
) -> Iterator[Item]:
    """Segment files into a folder; what an earlier run has done there is not done again.

    Parameters
    ----------
    paths : iterable of Path
        Image files, and folders of zarr.
    out : Path
        For the results; made if need be.
    *recipe, **settings
        As of `run_batch`: ``model``, ``threshold``, ``pixel_size``, ``outputs``, ...

    Yields
    ------
    Item
        After every file that is done, skipped or has failed.
    """
    for event in run_batch([File(path) for path in paths], out, *recipe, **settings):
        if event.item.state != "running":
            yield event.item


def _check(settings: BatchSettings) -> None:
    """Complain before the work, not after it."""
    check_outputs(settings.outputs)
    if settings.pattern not in ("auto", "none"):
        pattern_of(settings.pattern)
    if settings.table == "parquet":
        require_parquet()
    if settings.track == "motion":
        require_extra()
    if settings.track != "no" and not {"labels", "zarr"} & set(settings.outputs):
        raise BadSetting(
            "Objects are followed through time by their labels",
            hint="Write labels or zarr, too.",
        )


def _run(events: Generator[Event], job: Job, journal: Journal) -> Iterator[Event]:
    """Note what becomes of images; at the end, or when the caller stops, what is made of all."""
    runs = journal.get("runs", [])
    run = {"started": _now(), "finished": None, **job.recipe.made_with}
    journal.note("runs", [*runs, run])
    try:
        for event in events:
            if event.item.state != "running":
                journal.set(event.item, event.done)
            yield event
    finally:
        events.close()
        run |= {"finished": _now(), "problems": summarise(journal, job.folder, job.settings)}
        journal.note("runs", [*runs, run])
        write_record(journal, job.folder)


def _made(out: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Recipe of, and what was written of, the results that a folder holds."""
    if not (out / NAME).exists():
        return None
    with Journal(out) as journal:
        recipe = journal.get("recipe")
        return None if recipe is None else (recipe, journal.get("written"))


def _overwrite(journal: Journal, out: Path) -> None:
    for _, done in journal.entries().values():
        discard(out, done.files)
    journal.forget()


def _agree(journal: Journal, recipe: Recipe, settings: BatchSettings) -> None:
    """Note how the results are made, or refuse to mix them with those that are there."""
    made = recipe.model_dump(mode="json")
    written = settings.model_dump(mode="json", include=_DECIDE)
    now, then = {**_essence(made), **written}, journal.get("recipe")
    if then is not None and any(done.files for _, done in journal.entries().values()):
        then = {**_essence(then), **journal.get("written")}
        changed = sorted(name for name in now if now[name] != then.get(name))
        if changed:
            say = ", ".join(f"{name} {then.get(name)} (now {now[name]})" for name in changed)
            raise ChangedRecipe(
                f"{journal.path.parent} holds results made with {say}",
                hint="Go on with their settings (--resume), delete them and begin anew "
                "(--overwrite), or choose another folder.",
            )
    journal.note("recipe", made)
    journal.note("written", written)


def _essence(recipe: dict[str, Any]) -> dict[str, Any]:
    """What decides the result: not the machine, and of the model the weights, not the name."""
    kept = {key: value for key, value in recipe.items() if key not in ("made_with", "model")}
    return {**kept, "weights": recipe["made_with"]["sha256"] or recipe["model"]}


def _sort(sources: Sequence[Source], journal: Journal, out: Path) -> tuple[list[Item], list[Todo]]:
    """What is done already, and what is to be done."""
    sources = list({source.key: source for source in sources}.values())
    known = journal.entries()
    journal.add(_named([each for each in sources if each.key not in known], known))
    entries = journal.entries()
    skipped, todo = [], []
    for source in sources:
        item, done = entries[source.key]
        if item.state == "done" and _is_there(source, done, out):
            skipped.append(item.skipped())
        else:
            discard(out, done.files)
            todo.append((source, item))
    return skipped, todo


def _is_there(source: Source, done: Done, out: Path) -> bool:
    """Whether the results are there, and the image is the one that they are of."""
    try:
        return source.mark() == done.mark and all((out / name).exists() for name in done.files)
    except (SpherosegError, OSError):
        return False  # the image is not there: let it fail and say why


def _named(sources: list[Source], known: dict[str, tuple[Item, Done]]) -> list[Item]:
    """Items for new images, of names that no other has."""
    items = [item for item, _ in known.values()]
    stems = output_stems([each.path for each in sources if isinstance(each, File)])
    taken = {item.stem.casefold() for item in items}
    twice = Counter(each.name for each in sources) + Counter(item.name for item in items)
    new = []
    for source in sources:
        name, stem = source.name, source.stem
        if isinstance(source, File):
            stem = stems[source.path]
            name = str(source.path) if twice[name] > 1 else name
        new.append(Item(source.key, name, not_taken(stem, taken), source.columns))
    return new


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
