"""New models in the user's folder: whole, or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadSetting, WrongWeights
from ..steps import Counted, Progress, run_to_end
from .library import (
    CARD,
    METADATA,
    load,
    own_folder,
    read_metadata,
    user_folder,
    write_metadata,
)
from .metadata import ModelMetadata
from .model import Model, sha256_of
from .places import change_settings
from .staging import commit, gone, locked, name_taken, staged, written_to

if TYPE_CHECKING:
    from torch import nn

    from .collections.reproduce import Reproduction


@dataclass(frozen=True)
class Installed:
    """A model that was installed.

    Attributes
    ----------
    metadata : ModelMetadata
    reproduction : Reproduction or None
        For one of a collection: whether this machine finds in the sample image what was found
        where it was packed.
    passed_over : tuple of str
        What the same collection holds and was not installed, and why.
    """

    metadata: ModelMetadata
    reproduction: Reproduction | None = None
    passed_over: tuple[str, ...] = ()


def install(
    path: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    sha256: str | None = None,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> ModelMetadata:
    """Copy a model into the user's folder, as safetensors with a model.json.

    Parameters
    ----------
    path : str or Path
        A model's folder or a checkpoint file, whose optimiser state and the like are left behind;
        a collection, of which all models are installed or none (see `install_collection`); a
        package of the BioImage Model Zoo; or the address of such a file, ``https://…``, which is
        downloaded first. What was downloaded before the connection broke is kept for the next
        time.
    name : str, optional
        What to call it; by default its own name, or that of the file.
    replace : bool
        An installed model of this name goes to the trash.
    sha256 : str, optional
        Checksum that the file must have; an address may also say it, as ``#sha256=…``.
    progress : callable, optional
        Called with bytes downloaded, and bytes in all: 0 where the server does not say.
    cancel : callable, optional
        Asked while it is downloaded.

    Returns
    -------
    ModelMetadata
        Of the installed model, with checksum and source; the first of a collection's.

    Raises
    ------
    NameTaken
        A model of this name is installed.
    BadSetting
        It is no usable name, address or checksum.
    DownloadFailed
        The address cannot be reached, or does not give the file.
    UnreadableFile, UnsafeFile, WrongWeights
        The file cannot be used, or is not the one of this checksum.
    Cancelled
        `cancel` said so.
    """
    steps = install_steps(path, name, replace=replace, sha256=sha256)
    return run_to_end(steps, progress, cancel)[0].metadata


def install_steps(
    path: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    sha256: str | None = None,
) -> Generator[Counted, None, list[Installed]]:
    """As `install`, as a generator of steps, each with the bytes ``done`` and in ``total``.

    Returns
    -------
    list of Installed
        All models of a collection, else one.
    """
    if isinstance(path, Path) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        path = Path(path)
        if sha256 is not None:
            _check_file(path, sha256)
        return _install_file(path, name, replace, path.name)
    from .download import Address, Download

    address = Address.parse(path, sha256)
    folder = user_folder()
    if name is not None and (folder / name).exists() and not replace:
        raise name_taken(name)  # told before gigabytes are fetched
    with Download(address, folder) as download:
        file = yield from download.steps()
        is_wanted = False
        try:
            return _install_file(file, name, replace, address.shown)
        except BadSetting:
            is_wanted = True  # under another name
            raise
        finally:
            if not is_wanted:
                download.forget()


def _install_file(path: Path, name: str | None, replace: bool, source: str) -> list[Installed]:
    from .bioimageio.opening import install_package, is_package

    if is_package(path):  # a download may have any name
        return [Installed(install_package(path, name, replace=replace, source=source))]
    if path.suffix.lower() == ".zip" and path.is_file():
        from .collections.unpack import install_collection

        return install_collection(path, name, replace=replace, source=source)
    return [Installed(install_opened(path, load(path), name, replace, source))]


def install_opened(
    path: Path, model: Model, name: str | None, replace: bool, source: str
) -> ModelMetadata:
    """Install a model that was opened from a file or folder, and its card if there is one."""
    name = name or model.metadata.name
    metadata = model.metadata.replace(name=name, source=source)
    target = user_folder() / name
    if target.exists() and not replace:  # told before gigabytes are written; asked again then
        raise name_taken(name)
    with written_to(target), staged(target.parent) as stage:
        metadata = write_model(stage / name, model, metadata)
        if (path / CARD).is_file():
            shutil.copy(path / CARD, stage / name / CARD)
        commit(stage, replace=replace)
    return metadata


def write_model(folder: Path, model: Model, metadata: ModelMetadata) -> ModelMetadata:
    """Write a model's new folder: safetensors and model.json; the metadata with the checksum."""
    folder.mkdir()
    file = folder / metadata.weights_file
    if metadata.keeps_file:
        file.write_bytes(model.content())
    else:
        save_weights(file, model.network)
    metadata = metadata.replace(sha256=sha256_of(file))
    write_metadata(folder, metadata)
    return metadata


def save_weights(file: Path, network: nn.Module) -> None:
    """Write a network's weights as safetensors."""
    from safetensors.torch import save_file

    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, file)


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
    NameTaken
        An installed model has the new one.
    BadSetting
        It ships or is shared, and stays as it is; or the new name is no usable one.
    UnreadableFile
        It is damaged, or the models folder cannot be written; nothing was changed.
    """
    folder = own_folder(old)
    with written_to(folder.parent), locked(folder.parent):
        if not folder.exists():
            raise gone(old)
        known = read_metadata(folder)
        metadata = known.replace(name=new)
        target = folder.with_name(new)
        if target.exists():
            raise name_taken(new)
        write_metadata(folder, metadata)  # until it is moved, it is found by its folder
        try:
            folder.rename(target)
        except OSError:
            write_metadata(folder, known)
            raise
    change_settings(
        lambda settings: settings.replace(
            defaults={k: new if v == old else v for k, v in settings.defaults.items()}
        )
    )
    return metadata


def _check_file(path: Path, sha256: str) -> None:
    if not path.is_file():
        raise BadSetting(
            f"{path} is no file, and has no checksum",
            hint=f"The {METADATA} of a model's folder holds that of its weights.",
        )
    if sha256_of(path) != sha256.lower():
        raise WrongWeights(
            f"{path.name} is not the file of this checksum", hint="Copy or download it again."
        )
