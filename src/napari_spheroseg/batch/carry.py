"""A task carried out on many images: what is to be done, who does it, what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadSetting, SpherosegError, UnreadableFile
from ..inference.predictor import Predictor
from ..readwrite.atomic import remove_leftovers
from .cluster import Where, run_there
from .find import not_taken, output_stems
from .items import Done, File, Item, Source
from .journal import NAME, Journal
from .outputs import discard
from .pipeline import Event, run_here
from .stages import Todo
from .tables import write_record
from .task import Task

if TYPE_CHECKING:
    from distributed import Client

Existing = Literal["continue", "resume", "overwrite"]


class ChangedRecipe(BadSetting):
    """The folder holds results that were made in another way."""


def carry_out(
    sources: Sequence[Source],
    job: Task,
    predictor: Predictor,
    where: Where,
    existing: Existing = "continue",
    client: Client | None = None,
) -> Iterator[Event]:
    """Carry a task out on images; what an earlier run has done in its folder is not done again.

    Parameters
    ----------
    sources, existing, client
        As in `run_batch`; of "resume" the caller has seen to it that the recipe is the same.
    job : Task
    predictor : Predictor
        The model, on its device.
    where : Where
        How the workers of `client` open it.

    Yields
    ------
    Event
        As `run_batch`.

    Raises
    ------
    ChangedRecipe, SpherosegError
        As `run_batch`, but for what is seen before the folder is.
    """
    with Journal(job.folder) as journal:
        remove_leftovers(job.folder)
        if existing == "overwrite":
            _overwrite(journal, job.folder)
        _agree(journal, job)
        yield from (Event(_unnamed(each)) for each in sources if not _is_text(each.key))
        skipped, todo = _sort([each for each in sources if _is_text(each.key)], journal, job.folder)
        yield from (Event(item) for item in skipped)
        if client is None:
            events = run_here(todo, job, predictor)
        else:
            events = run_there(todo, job, where, client)
        yield from _run(events, job, journal)


def ended(events: Iterable[Event]) -> Iterator[Item]:
    """Images as they are done, are skipped and fail; not what is between."""
    for event in events:
        if event.item.state != "running":
            yield event.item


def _run(events: Generator[Event], job: Task, journal: Journal) -> Iterator[Event]:
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
        run |= {"finished": _now(), "problems": job.summarise(journal)}
        journal.note("runs", [*runs, run])
        write_record(journal, job.folder)


def resumed(
    existing: Existing, out: Path, task: str, model: Any, settings: dict[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Model and settings to work with, and what is written: where results are gone on with, theirs.

    Raises
    ------
    BadSetting
        They are results of another task.
    """
    if existing == "resume" and (out / NAME).exists():
        with Journal(out) as journal:
            if recipe := journal.get("recipe"):
                _same_task(journal, task)
                return recipe.pop("model"), recipe, journal.get("written")
    return model, settings, {}


def _same_task(journal: Journal, task: str) -> None:
    if (found := journal.get("task", task)) != task:
        raise BadSetting(
            f"{journal.path.parent} holds results of a {found}",
            hint="Choose another folder, or delete them and begin anew (--overwrite).",
        )


def _overwrite(journal: Journal, out: Path) -> None:
    for _, done in journal.entries().values():
        discard(out, done.files)
    journal.forget()


def _agree(journal: Journal, job: Task) -> None:
    """Note how the results are made, or refuse to mix them with those that are there."""
    recipe, written = job.recipe.model_dump(mode="json"), job.written
    now, then = {**_essence(recipe), **written}, journal.get("recipe")
    if then is not None and any(done.files for _, done in journal.entries().values()):
        _same_task(journal, job.task)
        then = {**_essence(then), **journal.get("written")}
        known = type(job.settings).model_fields | type(job.recipe).model_fields
        newer = {name: each.default for name, each in known.items()}
        then = newer | then  # a setting that the results did not know yet
        changed = sorted(name for name in now if now[name] != then.get(name))
        if changed:
            say = ", ".join(f"{name} {then.get(name)} (now {now[name]})" for name in changed)
            raise ChangedRecipe(
                f"{journal.path.parent} holds results made with {say}",
                hint="Go on with their settings (--resume), delete them and begin anew "
                "(--overwrite), or choose another folder.",
            )
    journal.note("task", job.task)
    journal.note("recipe", recipe)
    journal.note("written", written)


def _essence(recipe: dict[str, Any]) -> dict[str, Any]:
    """What decides the result: not the machine, and of the models the weights, not the names."""
    kept = {key: value for key, value in recipe.items() if key not in ("made_with", "model")}
    weights = {"weights": recipe["made_with"]["sha256"] or recipe["model"]}
    if restored := recipe.get("restore"):
        weights["restore"] = recipe["made_with"].get("restoration") or restored
    return {**kept, **weights}


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
        return source.mark() == done.mark and all(_is_whole(out / name) for name in done.files)
    except (SpherosegError, OSError):
        return False  # the image is not there: let it fail and say why


def _is_text(name: str) -> bool:
    """Whether it can be written into tables: on Linux a file's name may be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _unnamed(source: Source) -> Item:
    """An image that has failed, for its name."""
    key, name = (each.encode("utf-8", "replace").decode() for each in (source.key, source.name))
    error = UnreadableFile("Its name, or that of a folder, is no text", hint="Rename it.")
    return Item(key, name, name).failed(error)


def _is_whole(path: Path) -> bool:
    """Whether it is there; where the power was cut, a name may be without its content."""
    return path.is_dir() or (path.exists() and path.stat().st_size > 0)


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
