"""Installing the models of a collection: all of them, or none."""

from __future__ import annotations

from pathlib import Path

from ...errors import WrongWeights
from ..installing import Installed, write_model
from ..library import CARD, load, user_folder
from ..metadata import as_name
from ..model import Model
from ..staging import commit, staged, written_to
from .collection import Collection, unpacked
from .reading import open_collection
from .reproduce import reproduce


def install_collection(
    path: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    source: str | None = None,
) -> list[Installed]:
    """Install all models of a collection that are networks.

    Parameters
    ----------
    path : str or Path
        As `open_collection` takes it.
    name : str, optional
        What to call the model; several are called ``<name>-<key>``. By default ours keep their
        names, and those of a HiTMicTools collection follow the name of its file.
    replace : bool
        Installed models of these names go to the trash.
    source : str, optional
        Where they came from; by default the name of the file.

    Returns
    -------
    list of Installed
        In the order of the collection. An interrupted installation leaves the models as they
        were, or as they become.

    Raises
    ------
    WrongWeights
        A model is damaged, or there is none to install.
    NameTaken, BadSetting
        A name is taken; or no usable name.
    UnreadableFile, UnsafeFile
        The collection cannot be used, or the models folder not be written.
    """
    collection = open_collection(path)
    names = _names(collection, name)
    target = user_folder()
    installed = []
    with written_to(target), staged(target) as stage:
        for key, called in names.items():
            model = collection.load(key)
            metadata = model.metadata.replace(name=called, source=source or collection.path.name)
            write_model(stage / called, model, metadata)
            _copy_card(collection, key, stage / called)
            # what is tried is what was written, not what is in memory
            installed.append(_tried(collection, key, stage / called))
        commit(stage, replace=replace)
    return installed


def _names(collection: Collection, name: str | None) -> dict[str, str]:
    """Key to name of what can be installed."""
    bad = [entry for entry in collection.entries.values() if entry.state == "damaged"]
    if bad:
        raise WrongWeights(
            f"'{bad[0].key}' of {collection.path.name} is damaged, so none was installed",
            hint=bad[0].reason,
        )
    keys = [key for key, entry in collection.entries.items() if entry.metadata is not None]
    if not keys:
        reasons = "; ".join(f"{e.key}: {e.state}" for e in collection.entries.values())
        first = next((e.reason for e in collection.entries.values() if e.reason), "")
        raise WrongWeights(
            f"{collection.path.name} holds no model to install ({reasons})",
            hint=first or "Classifiers of measurements, and detectors, run from where they are.",
        )
    if name is not None and len(keys) == 1:
        return {keys[0]: name}
    if name is None and collection.manifest is not None:
        return {key: key for key in keys}
    stem = name or as_name(collection.name, "collection")
    return {key: f"{stem}-{key}" for key in keys}


def _tried(collection: Collection, key: str, folder: Path) -> Installed:
    model: Model = load(folder)
    sample = collection.sample(key) or (None, None)
    passed_over = tuple(
        f"'{each.key}': {each.reason or 'it runs from the collection and is not installed'}"
        for each in collection.entries.values()
        if each.metadata is None
    )
    return Installed(model.metadata, reproduce(model, *sample), passed_over)


def _copy_card(collection: Collection, key: str, folder: Path) -> None:
    packed = collection.manifest.models[key] if collection.manifest else None
    if packed is not None and packed.card is not None:
        with unpacked(collection.path, [f"{key}/{packed.card}"]) as source:
            (folder / CARD).write_bytes((source / key / packed.card).read_bytes())
