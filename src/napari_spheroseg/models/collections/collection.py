"""Model collections: models that belong together, in one zip; ours and HiTMicTools'."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import UnreadableFile, WrongWeights
from ...registry import unknown_name
from ..formats.archive import Archive
from ..metadata import ModelMetadata
from ..model import Model, sha256_of
from .classifiers import CLASSIFIERS, open_classifier
from .detectors import Detector, open_detector
from .hitmictools import load_described, read_description, settings_of
from .kinds import KINDS
from .manifest import Manifest

State = Literal[
    "loadable", "missing package", "unknown network", "does not fit", "unsafe file", "damaged"
]


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
            SHA-256 of the one pickle, or skops file of strange types, that may be opened, though
            opening it may run its code.

        Raises
        ------
        UnsafeFile
            It could run code, and is not the file that is allowed.
        MissingPackage, UnreadableFile, WrongWeights, UnknownName
            It cannot be opened.
        """
        self._check(key)
        given = self._described.get(key, {})
        name = str(given.get("model_path", ""))
        if key not in self.classifiers:
            raise WrongWeights(f"'{key}' is a network", hint=f"Use load('{key}').")
        with unpacked(self.path, [name]) as folder:
            return open_classifier(key, folder / name, allow)

    def detector(self, key: str) -> Detector:
        """Open a detector of places, for `restoration.flags.flag_places`.

        Parameters
        ----------
        key : str
            As ``oof_detector``.

        Raises
        ------
        MissingPackage
            RF-DETR is not installed.
        UnreadableFile, UnsafeFile, WrongWeights, BadSetting, UnknownName, UnfitModel
            It cannot be opened.
        """
        self._check(key)
        if key not in self.detectors:
            raise WrongWeights(f"'{key}' is no detector", hint=f"Use load('{key}').")
        given = self._described[key]
        settings = settings_of(given)
        with unpacked(self.path, _files_of(given)) as folder:
            described = given.get("model_metadata")
            return open_detector(
                f"{self.path}#{key}",
                folder / str(given.get("model_path", "")),
                read_description(folder / str(described)) if described else {},
                settings["inferer_args"],
                settings["classes"],
            )

    def checksum(self, key: str) -> str:
        """SHA-256 of the file of a classifier of measurements, one of `classifiers`."""
        name = str(self._described[key]["model_path"])
        with unpacked(self.path, [name]) as folder:
            return sha256_of(folder / name)

    @property
    def classifiers(self) -> tuple[str, ...]:
        """Keys of its classifiers of measurements."""
        return tuple(
            key
            for key, given in self._described.items()
            if not KINDS[key].network
            and str(given.get("model_path", "")).lower().endswith(CLASSIFIERS)
        )

    @property
    def detectors(self) -> tuple[str, ...]:
        """Keys of its detectors of places."""
        return tuple(key for key in self._described if KINDS[key].package)

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


def _files_of(given: Mapping[str, Any]) -> list[str]:
    return [str(given[name]) for name in ("model_path", "model_metadata") if name in given]


def _load_packed(path: Path, manifest: Manifest, key: str, reference: str) -> Model:
    """A model of ours, every file of which is the one that was packed."""
    from ..formats.checkpoints import read_state
    from ..library import read_metadata

    packed = manifest.models[key]
    with unpacked(path, [f"{key}/{name}" for name in packed.files]) as folder:
        for name, sha256 in packed.files.items():
            if sha256_of(folder / key / name) != sha256:
                raise WrongWeights(
                    f"{key}/{name} in {path.name} is not the file that was packed",
                    hint="Copy or download the collection again.",
                )
        metadata = read_metadata(folder / key)
        file = folder / key / metadata.weights_file
        if not file.is_file() or metadata.sha256 != packed.files[file.name]:
            raise WrongWeights(f"{path.name} lacks the weights that '{key}' describes")
        if metadata.keeps_file:
            model = Model(metadata, None, reference, _content=file.read_bytes())
        else:
            model = Model(metadata, None, reference, _state=read_state(file))
    model.check()
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
