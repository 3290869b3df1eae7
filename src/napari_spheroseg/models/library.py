"""The models at hand: those that ship and those that the user installed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_data_path

from ..errors import BadSetting, SpherosegError, UnreadableFile, WrongWeights
from ..readwrite.atomic import UMASK
from ..registry import unknown_name
from .metadata import PUBLISHED_PREPARATION, ModelMetadata
from .model import Model, no_weights, sha256_of

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


def load(name_or_path: str | Path) -> Model:
    """Open a model.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `available`; a folder with a model.json; or a checkpoint file, whose network
        is then recognised and whose preparation is taken to be the published service's.

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
        A model's folder or a checkpoint file. Optimiser state and the like are left behind.
    name : str, optional
        What to call it; by default its own name, or that of the file.
    replace : bool
        Overwrite an installed model of this name.

    Returns
    -------
    ModelMetadata
        Of the installed model, with checksum and source.

    Raises
    ------
    BadSetting
        The name is taken or no usable name.
    UnreadableFile, UnsafeFile, WrongWeights
        The file cannot be used.
    """
    from safetensors.torch import save_file

    model = load(path)
    name = name or model.metadata.name
    target = user_folder() / name
    if target.exists() and not replace:
        raise BadSetting(
            f"A model '{name}' is installed already",
            hint="Choose another name, or ask to replace it.",
        )
    metadata = model.metadata.replace(name=name, source=Path(path).name)
    state = {key: value.contiguous() for key, value in model.network.state_dict().items()}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _staged(target) as folder:
            save_file(state, folder / WEIGHTS)
            metadata = metadata.replace(sha256=sha256_of(folder / WEIGHTS))
            write_metadata(folder, metadata)
            if (Path(path) / CARD).is_file():
                shutil.copy(Path(path) / CARD, folder / CARD)
    except OSError as error:
        raise UnreadableFile(
            f"{target} cannot be written: {error.strerror or error}",
            hint="Check its permissions and the free space, or set SPHEROSEG_MODELS.",
        ) from error
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
        shutil.rmtree(folder)
    except OSError as error:
        raise UnreadableFile(
            f"{folder} cannot be deleted: {error.strerror or error}", hint="Check its permissions."
        ) from error


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


def _folders() -> dict[str, tuple[ModelMetadata, Path]]:
    """Name to metadata and folder; a folder that is no valid model is passed over."""
    found = {}
    for place in (shipped_folder(), user_folder()):
        folders = []
        with contextlib.suppress(OSError):  # a folder that others may not look into
            folders = list(place.iterdir())
        for folder in sorted(folders, key=lambda each: (_order(each.name), each.name)):
            if folder.name.startswith("."):
                continue
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

    state = read_state(path)
    network, arguments = recognise(state, path.name)
    channels = arguments["in_channels"]
    outputs = arguments.get("out_channels", arguments.get("n_class"))
    if channels not in (1, 3) or outputs != 1:
        raise WrongWeights(
            f"{path.name} takes {channels} channels and gives {outputs}",
            hint="Segmentation needs a network for grey or RGB images with one output.",
        )
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", path.stem).lstrip("_-")
    metadata = ModelMetadata(
        name=stem or network,
        title=_TITLES.get(network, network),
        network=network,
        arguments=arguments,
        preparation=PUBLISHED_PREPARATION.replace(
            channels=channels, normalise="imagenet" if channels == 3 else "unit"
        ),
        post_processing={"min_area": 50},
        description=f"{_TITLES.get(network, network)} from the checkpoint {path.name}.",
        source=path.name,
        sha256=sha256_of(path),
    )
    model = Model(metadata, None, str(path), _state=state)
    _ = model.network  # a checkpoint that does not fit is refused now, not at the first image
    return model


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A temporary folder that takes `target`'s place once it is complete."""
    folder = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    try:
        yield folder
        for path in (folder, *folder.iterdir()):  # readable as what others make is
            path.chmod((0o777 if path.is_dir() else 0o666) & ~UMASK)
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
