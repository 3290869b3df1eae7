"""Looking into collections: which models they describe, and whether each can be loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from ...errors import MissingPackage, SpherosegError, UnknownName, UnreadableFile, UnsafeFile
from ..formats.archive import Archive, parse_json, parse_yaml, read_text
from .classifiers import CLASSIFIERS, PICKLED
from .collection import Collection, Entry, State
from .hitmictools import UnfitModel, settings_of
from .kinds import KINDS, TRACKER
from .manifest import MANIFEST, Manifest

CONFIG, TRACKER_CONFIG = "config.yml", "config_tracker.yml"
_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", *CLASSIFIERS)
_STATES: dict[type[SpherosegError], State] = {
    MissingPackage: "missing package",
    UnknownName: "unknown network",
    UnsafeFile: "unsafe file",
    UnfitModel: "does not fit",
}


def open_collection(path: str | Path) -> Collection:
    """Look into a collection; each model is read and checked once, and none is kept.

    Parameters
    ----------
    path : str or Path
        A zip, ours or HiTMicTools'; or a YAML with HiTMicTools' keys, whose paths are relative to
        its folder.

    Returns
    -------
    Collection

    Raises
    ------
    UnreadableFile
        The file is missing, damaged, or no collection.
    UnsafeFile
        Its members would leave their folder, or fill the disk.
    """
    path = Path(path)
    if path.suffix.lower() in (".yml", ".yaml"):
        config = parse_yaml(read_text(path), path.name)
        return _theirs(path, config, None)
    with Archive(path) as archive:
        if MANIFEST in archive:
            manifest = parse_manifest(archive.read(MANIFEST), path.name)
            entries = {key: Entry(key, "loadable") for key in manifest.models}
            return _examined(Collection(path, manifest.name, entries, manifest=manifest))
        config = parse_yaml(archive.read(CONFIG), CONFIG) if CONFIG in archive else {}
        if TRACKER_CONFIG in archive:
            config[TRACKER] = parse_yaml(archive.read(TRACKER_CONFIG), TRACKER_CONFIG)
        return _theirs(path, config, archive.names)


def parse_manifest(content: bytes, name: str) -> Manifest:
    """The collection.json of a zip."""
    try:
        return Manifest(**parse_json(content, MANIFEST))
    except ValueError as error:
        raise UnreadableFile(
            f"{MANIFEST} in {name} is not valid: {error}", hint="Get the file again."
        ) from error


def _theirs(path: Path, config: dict[str, Any], names: list[str] | None) -> Collection:
    """A collection in the way of HiTMicTools; `names` are the zip's files."""
    aliases = {kind.alias: key for key, kind in KINDS.items()}
    known = {aliases.get(key, key): value for key, value in config.items()}
    described = {}
    for key, kind in KINDS.items():
        found = _in_own_folder(names or [], (key, kind.stem, kind.alias))
        given = known.get(key)
        if given is not None and not isinstance(given, Mapping):
            raise UnreadableFile(f"'{key}' in {path.name} is no mapping", hint="Correct the file.")
        if found or given is not None:
            described[key] = found | {k: v for k, v in (given or {}).items() if v is not None}
    strange = [key for key in known if key not in (*KINDS, TRACKER, "_bundle_metadata")]
    if not described:
        raise UnreadableFile(
            f"{path.name} is no model collection: it describes no model",
            hint=f"It needs a {MANIFEST}, or a {CONFIG} with: {', '.join(KINDS)}.",
        )
    tracker = known.get(TRACKER)
    entries = {key: Entry(key, "loadable") for key in described}
    tidied = {key: _tidied(given) for key, given in described.items()}
    return _examined(
        Collection(
            path,
            re.sub(r"_\d{8}$", "", path.stem),
            entries,
            tracker if isinstance(tracker, dict) else None,
            tuple(f"'{key}' is no model that we know, and is passed over" for key in strange),
            _described=tidied,
        )
    )


def _in_own_folder(names: list[str], folders: tuple[str, ...]) -> dict[str, Any]:
    """Files of a model that has a folder to itself, as the documentation shows."""
    inside = [name for name in names if PurePosixPath(name).parent.name in folders]
    weights = [name for name in inside if name.lower().endswith(_WEIGHTS)]
    described = [name for name in inside if name.lower().endswith(".json")]
    found = {"model_path": weights, "model_metadata": described}
    return {name: files[0] for name, files in found.items() if len(files) == 1}


def _tidied(given: Mapping[str, Any]) -> dict[str, Any]:
    """Paths with slashes, whichever system wrote them."""
    paths = {
        name: PurePosixPath(str(given[name]).replace("\\", "/")).as_posix()
        for name in ("model_path", "model_metadata")
        if name in given
    }
    return {**given, **paths}


def _examined(collection: Collection) -> Collection:
    """With the state of each entry: what loading it says."""
    entries = {key: _examine(collection, key) for key in collection.entries}
    return Collection(**{**vars(collection), "entries": MappingProxyType(entries)})


def _examine(collection: Collection, key: str) -> Entry:
    settings: dict[str, Any] = {}
    given = collection._described.get(key, {})
    try:
        if collection.manifest is None:
            settings = settings_of(given)
        is_pickled = str(given.get("model_path", "")).lower().endswith(PICKLED)
        if key in collection.classifiers and not is_pickled:
            collection.classifier(key)
            return Entry(key, "loadable", settings=settings)
        if key in collection.detectors:
            collection.detector(key)
            return Entry(key, "loadable", settings=settings)
        metadata = collection.load(key).metadata
        return Entry(key, "loadable", metadata=metadata, settings=settings)
    except SpherosegError as error:
        state = _STATES.get(type(error), "damaged")
        return Entry(key, state, str(error), settings=settings)
