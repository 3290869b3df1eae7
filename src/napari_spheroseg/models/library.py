"""The models at hand: those that ship and those that the user installed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from platformdirs import user_data_path

from ..errors import BadSetting, SpherosegError, UnreadableFile
from ..registry import unknown_name
from .metadata import ModelMetadata
from .model import Model, no_weights, sha256_of
from .staging import commit, settled, staged, written_to

METADATA = "model.json"
WEIGHTS = "weights.safetensors"
CARD = "README.md"
_TITLES = {"hrnet": "HRNet", "cbam_resunet": "CBAM-ResUNet", "unet": "UNet"}


def shipped_folder() -> Path:
    """Folder of the models that ship: inside the installed package, or at the checkout's root."""
    package = Path(__file__).parents[1]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parents[1] / "weights"


def user_folder() -> Path:
    """Folder that models are installed into; ``SPHEROSEG_MODELS`` in the environment moves it."""
    moved = os.environ.get("SPHEROSEG_MODELS")
    return Path(moved) if moved else user_data_path("napari-spheroseg", False) / "models"


def known() -> list[ModelMetadata]:
    """Metadata of all models, those that still wait for weights included."""
    return [metadata for metadata, _ in _folders().values()]


def available() -> list[ModelMetadata]:
    """Metadata of the models that can run, without importing torch.

    Returns
    -------
    list of ModelMetadata
        Shipped ones first; one that the user installed under a shipped name takes its place.
    """
    return [
        metadata
        for metadata, folder in _folders().values()
        if metadata.has_weights and (folder / WEIGHTS).is_file()
    ]


def info(name: str) -> ModelMetadata:
    """Metadata of one model.

    Raises
    ------
    UnknownName
        No model has this name.
    """
    return _find(name)[0]


def folder_of(name: str) -> Path:
    """Folder of a model that has weights.

    Raises
    ------
    UnknownName, NoWeights
        There is no such model, or it has no weights yet.
    """
    metadata, folder = _find(name)
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
    UnreadableFile, UnsafeFile, WrongWeights
        The file cannot be used.
    """
    path = Path(name_or_path)
    archive, _, key = str(name_or_path).partition("#")
    if key and Path(archive).is_file():
        from .collections import open_collection

        return open_collection(archive).load(key)
    if str(name_or_path) not in _folders() and _looks_like_path(name_or_path):
        return _load_folder(path) if path.is_dir() else _load_checkpoint(path)
    metadata, folder = _find(str(name_or_path))
    if not metadata.has_weights:
        raise no_weights(metadata)
    return Model(metadata, folder / WEIGHTS, metadata.name)


def install(path: str | Path, name: str | None = None, *, replace: bool = False) -> ModelMetadata:
    """Copy a model into the user's folder, as safetensors with a model.json.

    Parameters
    ----------
    path : str or Path
        A model's folder or a checkpoint file, whose optimiser state and the like are left behind;
        a collection, of which all models are installed or none (see `install_collection`); or a
        package of the BioImage Model Zoo.
    name : str, optional
        What to call it; by default its own name, or that of the file.
    replace : bool
        Overwrite an installed model of this name.

    Returns
    -------
    ModelMetadata
        Of the installed model, with checksum and source; the first of a collection's.

    Raises
    ------
    BadSetting
        The name is taken or no usable name.
    UnreadableFile, UnsafeFile, WrongWeights
        The file cannot be used.
    """
    if Path(path).suffix.lower() == ".zip" and Path(path).is_file():
        from .bioimageio_open import install_package, is_package
        from .unpack import install_collection

        if is_package(Path(path)):
            return install_package(path, name, replace=replace)
        return install_collection(path, name, replace=replace)[0].metadata
    model = load(path)
    name = name or model.metadata.name
    metadata = model.metadata.replace(name=name, source=Path(path).name)
    target = user_folder() / name
    if target.exists() and not replace:  # told before gigabytes are written; asked again then
        raise BadSetting(
            f"A model '{name}' is installed already",
            hint="Choose another name, or ask to replace it.",
        )
    with written_to(target), staged(target.parent) as stage:
        metadata = write_model(stage / name, model, metadata)
        if (Path(path) / CARD).is_file():
            shutil.copy(Path(path) / CARD, stage / name / CARD)
        commit(stage, replace=replace)
    return metadata


def write_model(folder: Path, model: Model, metadata: ModelMetadata) -> ModelMetadata:
    """Write a model's new folder: safetensors and model.json; the metadata with the checksum."""
    from safetensors.torch import save_file

    state = {key: value.contiguous() for key, value in model.network.state_dict().items()}
    folder.mkdir()
    save_file(state, folder / WEIGHTS)
    metadata = metadata.replace(sha256=sha256_of(folder / WEIGHTS))
    write_metadata(folder, metadata)
    return metadata


def remove(name: str) -> None:
    """Delete a model that the user installed.

    Raises
    ------
    UnknownName
        No model has this name.
    BadSetting
        It ships with the package, and stays.
    """
    folder = _find(name)[1]
    if folder.parent != user_folder():
        raise BadSetting(f"'{name}' ships with the package and stays")
    try:
        with staged(folder.parent) as stage:
            commit(stage, drop=[name])
    except SpherosegError:
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{folder} cannot be deleted: {error.strerror or error}", hint="Check its permissions."
        ) from error


def rename(old: str, new: str) -> ModelMetadata:
    """Give a model that the user installed another name.

    Parameters
    ----------
    old : str
        As in `known`.
    new : str
        A name that no installed model has.

    Returns
    -------
    ModelMetadata
        Of the model under its new name.

    Raises
    ------
    UnknownName
        No model has the old name.
    BadSetting
        It ships with the package, and stays; or the new name is taken or no usable name.
    UnreadableFile
        The models folder cannot be written; nothing was changed.
    """
    metadata, folder = _find(old)
    if folder.parent != user_folder():
        raise BadSetting(
            f"'{old}' ships with the package and keeps its name",
            hint="Export or bundle it, and install that under another name.",
        )
    metadata = metadata.replace(name=new)
    with written_to(folder.parent), staged(folder.parent) as stage:
        shutil.copytree(folder, stage / new)
        write_metadata(stage / new, metadata)
        commit(stage, drop=[old])
    return metadata


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
    except ValueError as error:
        raise UnreadableFile(f"{folder / METADATA} is not valid: {error}") from error


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write a folder's model.json."""
    text = metadata.model_dump_json(indent=2)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def folders() -> list[Path]:
    """All folders that should hold a model, shipped ones first; valid or not."""
    found = []
    for place in (shipped_folder(), user_folder()):
        with contextlib.suppress(OSError):  # a folder that others may not look into
            inside = [each for each in place.iterdir() if not each.name.startswith(".")]
            inside = [each for each in inside if each.is_dir()]
            found += sorted(inside, key=lambda each: (_order(each.name), each.name))
    return found


def _folders() -> dict[str, tuple[ModelMetadata, Path]]:
    """Name to metadata and folder; a folder that is no valid model is passed over."""
    found = {}
    with settled(user_folder()):
        for folder in folders():
            with contextlib.suppress(SpherosegError, OSError):
                found[folder.name] = (read_metadata(folder), folder)
    return found


def _order(name: str) -> int:
    return list(_TITLES).index(name) if name in _TITLES else len(_TITLES)


def _find(name: str) -> tuple[ModelMetadata, Path]:
    folders = _folders()
    if name not in folders:
        raise unknown_name("model", name, list(folders), "Or give the path of a checkpoint.")
    return folders[name]


def _looks_like_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    return Path(name_or_path).exists() or os.sep in name_or_path or "." in name_or_path


def _load_folder(folder: Path) -> Model:
    metadata = read_metadata(folder)
    if not metadata.has_weights:
        raise no_weights(metadata)
    return Model(metadata, folder / WEIGHTS, str(folder))


def _load_checkpoint(path: Path) -> Model:
    """A model made from bare weights: its network recognised, strictly loaded at once."""
    from .checkpoints import read_state, recognise
    from .published import published_facts

    state = read_state(path)
    network, arguments = recognise(state, path.name)
    facts = published_facts(network, arguments, path.name)
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", path.stem).lstrip("_-")
    checksum = sha256_of(path)
    metadata = ModelMetadata(
        name=stem or network,
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
