"""Model collections: models that belong together, in one zip; ours and HiTMicTools'."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import SpherosegError, UnknownName, UnreadableFile, UnsafeFile, WrongWeights
from ..registry import unknown_name
from .archive import Archive, parse_json, parse_yaml, read_text
from .classifiers import PICKLED, MissingPackage, open_classifier
from .hitmictools import KINDS, TRACKER, load_described, settings_of
from .manifest import MANIFEST, Manifest
from .metadata import ModelMetadata
from .model import Model, sha256_of

State = Literal["loadable", "missing package", "unknown network", "unsafe file", "damaged"]
CONFIG, TRACKER_CONFIG = "config.yml", "config_tracker.yml"
_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors", ".onnx", *PICKLED)
_STATES: dict[type[SpherosegError], State] = {
    MissingPackage: "missing package",
    UnknownName: "unknown network",
    UnsafeFile: "unsafe file",
}


@dataclass(frozen=True)
class Entry:
    """One model of a collection.

    Attributes
    ----------
    key : str
        What it is asked for by.
    state, reason : str
        Whether it can be loaded, and what is in the way.
    metadata : ModelMetadata or None
        Where it can be loaded as a network.
    settings : mapping
        What a HiTMicTools collection says beside the files: ``inferer_args``, ``model_args``,
        ``classes``.
    """

    key: str
    state: State
    reason: str = ""
    metadata: ModelMetadata | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Collection:
    """Models that belong together.

    Attributes
    ----------
    path : Path
        Its zip, or its YAML.
    name : str
    entries : mapping of str to Entry
    tracker : mapping or None
        Settings of a tracker that came with it.
    notes : tuple of str
        What was passed over.
    manifest : Manifest or None
        Of our own collections.
    """

    path: Path
    name: str
    entries: Mapping[str, Entry]
    tracker: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    manifest: Manifest | None = None
    _described: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def load(self, key: str) -> Model:
        """Open one of its models.

        Raises
        ------
        UnknownName, MissingPackage, UnsafeFile, UnreadableFile, WrongWeights, BadSetting
            There is no such model, or it cannot be loaded, as its state says.
        """
        self._check(key)
        reference = f"{self.path}#{key}"
        if self.manifest is not None:
            return _load_packed(self.path, self.manifest, key, reference)
        given = self._described[key]
        with unpacked(self.path, _files_of(given)) as folder:
            return load_described(key, given, folder, reference)

    def classifier(self, key: str, *, allow: str | None = None) -> Any:
        """Open a classifier of measurements: an ONNX Runtime session, or a scikit-learn object.

        Parameters
        ----------
        key : str
            As ``pi_classification``.
        allow : str, optional
            SHA-256 of the one pickle that may be opened, though opening it runs its code.

        Raises
        ------
        UnsafeFile
            It is a pickle, and not the one that is allowed.
        MissingPackage, UnreadableFile, WrongWeights, UnknownName
            It cannot be opened.
        """
        self._check(key)
        given = self._described.get(key, {})
        name = str(given.get("model_path", ""))
        if not name.lower().endswith((".onnx", *PICKLED)):
            raise WrongWeights(f"'{key}' is a network", hint=f"Use load('{key}').")
        with unpacked(self.path, [name]) as folder:
            return open_classifier(key, folder / name, allow)

    def sample(self, key: str) -> tuple[NDArray[Any], NDArray[np.int32]] | None:
        """Image and expected labels that came with a model; None where none did."""
        packed = self.manifest.models.get(key) if self.manifest else None
        if packed is None or packed.sample is None or packed.sample_labels is None:
            return None
        names = (f"{key}/{packed.sample}", f"{key}/{packed.sample_labels}")
        with unpacked(self.path, names) as folder:
            image, labels = (_read_array(folder / name) for name in names)
        return image, labels.astype(np.int32)

    def _check(self, key: str) -> None:
        if key not in self.entries:
            raise unknown_name(f"model in {self.path.name}:", key, list(self.entries))


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


def _files_of(given: Mapping[str, Any]) -> list[str]:
    return [str(given[name]) for name in ("model_path", "model_metadata") if name in given]


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
        if str(given.get("model_path", "")).lower().endswith(".onnx"):
            collection.classifier(key)
            return Entry(key, "loadable", settings=settings)
        metadata = collection.load(key).metadata
        return Entry(key, "loadable", metadata=metadata, settings=settings)
    except SpherosegError as error:
        state = _STATES.get(type(error), "damaged")
        return Entry(key, state, str(error), settings=settings)


def _load_packed(path: Path, manifest: Manifest, key: str, reference: str) -> Model:
    """A model of ours, every file of which is the one that was packed."""
    from .checkpoints import read_state
    from .library import WEIGHTS, read_metadata

    packed = manifest.models[key]
    with unpacked(path, [f"{key}/{name}" for name in packed.files]) as folder:
        for name, sha256 in packed.files.items():
            if sha256_of(folder / key / name) != sha256:
                raise WrongWeights(
                    f"{key}/{name} in {path.name} is not the file that was packed",
                    hint="Copy or download the collection again.",
                )
        metadata = read_metadata(folder / key)
        if not (folder / key / WEIGHTS).is_file() or metadata.sha256 != packed.files[WEIGHTS]:
            raise WrongWeights(f"{path.name} lacks the weights that '{key}' describes")
        model = Model(metadata, None, reference, _state=read_state(folder / key / WEIGHTS))
    _ = model.network
    return model


@contextlib.contextmanager
def unpacked(path: Path, names: Iterator[str] | list[str] | tuple[str, ...]) -> Iterator[Path]:
    """A folder with these files of a collection; a temporary one, where it is a zip."""
    if path.suffix.lower() in (".yml", ".yaml"):
        yield path.parent
        return
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as temporary, Archive(path) as archive:
        for name in names:
            archive.extract(name, Path(temporary) / name)  # only names that are members pass
        yield Path(temporary)


def _read_array(path: Path) -> NDArray[Any]:
    try:
        # a map of the file: a header that promises more than there is allocates nothing
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableFile(f"{path.name} is no array: {error}") from error
