"""The models at hand, by name: what they are, and how they are opened."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from ..errors import BadSetting, SpherosegError, UnknownName, UnreadableFile
from ..readwrite.atomic import write_text
from ..registry import unknown_name
from ..settings import bad_setting
from .metadata import ModelMetadata, as_name
from .model import Model, no_weights, sha256_of
from .places import OWN_VARIABLE, folders, place_of, shipped_folder, user_folder
from .staging import settled

__all__ = [
    "CARD",
    "METADATA",
    "WEIGHTS",
    "available",
    "entries",
    "find",
    "folder_of",
    "folders",
    "info",
    "known",
    "load",
    "own_folder",
    "read_metadata",
    "shipped_folder",
    "user_folder",
    "write_metadata",
]

METADATA = "model.json"
WEIGHTS = "weights.safetensors"
CARD = "README.md"


def known() -> list[ModelMetadata]:
    """Metadata of all models, those that still wait for weights included."""
    return [metadata for metadata, _ in entries().values()]


def available() -> list[ModelMetadata]:
    """Metadata of the models that can run, without importing torch.

    Returns
    -------
    list of ModelMetadata
        Shipped ones first, then the user's own, then those of shared folders. Of several of one
        name there is one: the user's own, else a shared one, else the one that ships.
    """
    return [
        metadata
        for metadata, folder in entries().values()
        if metadata.has_weights and (folder / metadata.weights_file).is_file()
    ]


def info(name: str) -> ModelMetadata:
    """Metadata of one model.

    Raises
    ------
    UnknownName
        No model has this name.
    """
    return find(name)[0]


def folder_of(name: str) -> Path:
    """Folder of a model that has weights.

    Raises
    ------
    UnknownName, NoWeights
        There is no such model, or it has no weights yet.
    """
    metadata, folder = find(name)
    if not metadata.has_weights:
        raise no_weights(metadata)
    return folder


def load(name_or_path: str | Path) -> Model:
    """Open a model.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `available`; a folder with a model.json; a checkpoint file, whose network is
        then recognised and whose preparation is taken to be the published service's; or a model
        of a collection, as ``collection.zip#key``.

    Returns
    -------
    Model
        Its network is built on first use.

    Raises
    ------
    UnknownName, NoWeights
        There is no such model, or it has no weights yet.
    BadSetting
        It is an address, which is to be installed first.
    UnreadableFile, UnsafeFile, WrongWeights
        The file cannot be used.
    """
    path = Path(name_or_path)
    archive, _, key = str(name_or_path).partition("#")
    if key and Path(archive).is_file():
        from .collections.reading import open_collection

        return open_collection(archive).load(key)
    if str(name_or_path) not in entries() and _looks_like_path(name_or_path):
        if "://" in str(name_or_path):
            raise BadSetting(
                "A model is not opened at an address",
                hint=f"Install it first: spheroseg models install {name_or_path}",
            )
        return _load_folder(path) if path.is_dir() else _load_checkpoint(path)
    metadata, folder = find(str(name_or_path))
    if not metadata.has_weights:
        raise no_weights(metadata)
    return Model(metadata, folder / metadata.weights_file, metadata.name)


def read_metadata(folder: Path) -> ModelMetadata:
    """The model.json of a folder.

    Raises
    ------
    UnreadableFile
        It is missing, or not valid.
    """
    try:
        text = (folder / METADATA).read_text(encoding="utf-8")
        return ModelMetadata.model_validate_json(text)
    except OSError as error:
        raise UnreadableFile(
            f"{folder} is no model: it has no readable {METADATA}", hint="Check the path."
        ) from error
    except ValidationError as error:
        said = bad_setting(ModelMetadata, error).message
        raise UnreadableFile(f"{folder / METADATA} is not valid: {said}") from error
    except ValueError as error:  # of its letters
        raise UnreadableFile(f"{folder / METADATA} is not valid: {error}") from error


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write a folder's model.json, complete or not at all."""
    write_text(folder / METADATA, metadata.model_dump_json(indent=2) + "\n")


def entries() -> dict[str, tuple[ModelMetadata, Path]]:
    """Name to metadata and folder; a folder that is no valid model is passed over."""
    found: dict[str, tuple[ModelMetadata, Path]] = {}
    with settled(user_folder()):
        for folder in folders():
            covered = found.get(folder.name)
            # a shipped one gives way to the user's and to shared ones, and nothing else does
            if covered is None or place_of(covered[1]) == "shipped":
                with contextlib.suppress(SpherosegError, OSError):
                    metadata = read_metadata(folder)
                    if metadata.name != folder.name:  # copied by hand: it is found by its folder
                        metadata = metadata.replace(name=folder.name)
                    found[folder.name] = (metadata, folder)
    return found


def find(name: str) -> tuple[ModelMetadata, Path]:
    """Metadata and folder of the model of a name.

    Raises
    ------
    UnknownName
        No model has this name.
    """
    found = entries()
    if name not in found:
        raise _unknown(name, found)
    return found[name]


def own_folder(name: str) -> Path:
    """The user's own folder of this name, whether or not a valid model is in it.

    Raises
    ------
    UnknownName
        No model has this name.
    BadSetting
        It ships, or is shared: such a model is not changed.
    """
    with settled(user_folder()):
        every = folders()
    found = {place_of(each): each for each in every if each.name == name}
    if "installed" in found:
        return found["installed"]
    if not found:
        raise _unknown(name, dict.fromkeys(each.name for each in every))
    folder = found.get("shared") or found["shipped"]
    if place_of(folder) == "shipped":
        raise BadSetting(
            f"'{name}' ships with the package and stays as it is",
            hint="Export or bundle it, and install that under another name.",
        )
    raise BadSetting(
        f"'{name}' lies in the shared folder {folder.parent}, which is not changed from here",
        hint=f"Who keeps that folder changes it, with {OWN_VARIABLE} set to it.",
    )


def _unknown(name: str, known: Iterable[str]) -> UnknownName:
    return unknown_name("model", name, list(known), "Or give the path of a checkpoint.")


def _looks_like_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    return Path(name_or_path).exists() or os.sep in name_or_path or "." in name_or_path


def _load_folder(folder: Path) -> Model:
    metadata = read_metadata(folder)
    if not metadata.has_weights:
        raise no_weights(metadata)
    return Model(metadata, folder / metadata.weights_file, str(folder))


def _load_checkpoint(path: Path) -> Model:
    """A model made from bare weights: its network recognised, strictly loaded at once."""
    from .formats.checkpoints import read_state
    from .formats.fitting import recognise
    from .published import published_facts

    state = read_state(path)
    network, arguments = recognise(state, path.name)
    facts = published_facts(network, arguments, path.name)
    checksum = sha256_of(path)
    metadata = ModelMetadata(
        name=as_name(path.stem, network),
        network=network,
        arguments=arguments,
        description=f"{facts['title']} from the checkpoint {path.name}.",
        source=path.name,
        source_sha256=checksum,
        sha256=checksum,
        **facts,
    )
    model = Model(metadata, None, str(path), _state=state)
    _ = model.network  # a checkpoint that does not fit is refused now, not at the first image
    return model
