"""Packages of the BioImage Model Zoo, opened: ours as they were, others where they fit.

Nothing in a package is executed but its ONNX graph, by ONNX Runtime.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ...errors import UnreadableFile
from ...extras import require
from ..installing import install_opened
from ..library import METADATA, WEIGHTS, load
from ..metadata import ModelMetadata
from ..model import Model
from .description import UnfitPackage, preparation_of, result_of
from .packages import CONFIG, quiet_spec

_DESCRIPTIONS = {"rdf.yaml", "bioimageio.yaml"}


def open_package(path: str | Path) -> Model:
    """Open a package on disk, for `segment` and the like.

    Parameters
    ----------
    path : str or Path
        The zip. Files that it points to elsewhere are not fetched.

    Returns
    -------
    Model
        One of ours with its own network, preparation and metadata; another's as an ONNX graph.

    Raises
    ------
    MissingPackage
        ``bioimageio.core``, or ONNX Runtime for another's, is not installed.
    UnreadableFile
        It is no package, or damaged.
    UnfitPackage
        It is no 2-D segmentation that takes one image and gives one map, or is prepared otherwise
        than a `Preparation` can say, or has no ONNX weights.
    """
    path = Path(path)
    described = _read(path)
    if getattr(described.config, CONFIG, None) is not None:
        return _open_ours(path)
    preparation = preparation_of(described)
    channel, is_probability, threshold = result_of(described)
    if described.weights.onnx is None:
        raise UnfitPackage(
            f"{path.name} has no ONNX weights",
            hint="Others may run code of their own; ask its authors for ONNX.",
        )
    network = _graph(path, described.weights.onnx, channel, is_probability)
    metadata = ModelMetadata(
        name="".join(c if c.isalnum() or c in "_.-" else "_" for c in path.stem).lstrip("_.-")
        or "package",
        title=described.name,
        network="onnx",
        preparation=preparation,
        threshold=threshold,
        licence=str(described.license or ""),
        description=described.description or "",
        source=path.name,
    )
    return Model(metadata, None, str(path), _network=network)


def is_package(path: Path) -> bool:
    """Whether a zip is a package of the BioImage Model Zoo."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not _DESCRIPTIONS.isdisjoint(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def install_package(
    path: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    source: str | None = None,
) -> ModelMetadata:
    """Install a package of ours for all later runs.

    Parameters
    ----------
    path, name, replace
        As `install` takes them.
    source : str, optional
        Where it came from; by default the name of the file.

    Raises
    ------
    UnfitPackage
        It is not one of ours: `open_package` runs it, if it fits.
    """
    path = Path(path)
    is_ours = getattr(_read(path).config, CONFIG, None) is not None
    if not is_ours:
        open_package(path)  # says what else does not fit
        raise UnfitPackage(
            f"{path.name} has a network that is not one of ours",
            hint="It is not installed, but open_package opens it for a run.",
        )
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as folder:
        _unpack_ours(path, Path(folder))
        model = load(Path(folder))
        return install_opened(Path(folder), model, name, replace, source or path.name)


def _read(path: Path) -> Any:
    """Description of a package, brought to the newest version of the format; checked."""
    spec = quiet_spec()
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    if not zipfile.is_zipfile(path):
        raise UnreadableFile(f"{path.name} is no zip", hint="Download it again.")
    with spec.ValidationContext(perform_io_checks=False):  # nothing is fetched
        described = spec.load_description(path, format_version="latest")
    if isinstance(described, spec.InvalidDescr):
        faults = [f.msg for d in described.validation_summary.details for f in d.errors]
        said = " ".join((faults or ["it has no valid rdf.yaml"])[0].split())[:300]
        raise UnreadableFile(f"{path.name} is no valid package: {said}")
    if described.type != "model":
        raise UnfitPackage(f"{path.name} holds no model, but a {described.type}")
    return described


def _graph(path: Path, weights: Any, channel: int, is_probability: bool) -> Any:
    from .onnx_graph import OnnxGraph

    require("onnxruntime", "onnxruntime", path.name)
    if "://" in str(weights.source):
        raise UnfitPackage(
            f"Its weights lie elsewhere: {weights.source}", hint="Download the whole package."
        )
    try:
        graph = weights.get_reader().read()
        return OnnxGraph(graph, channel, is_probability).eval()
    except Exception as error:  # of the reader or of ONNX Runtime, which have no common base
        said = " ".join(str(error).split())[:200]
        raise UnreadableFile(f"The weights in {path.name} cannot be used: {said}") from error


def _open_ours(path: Path) -> Model:
    """Model of a package of ours, in memory: the folder that it is unpacked to does not last."""
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as folder:
        _unpack_ours(path, Path(folder))
        model = load(Path(folder))
        _ = model.network
    model.weights, model.reference = None, str(path)
    return model


def _unpack_ours(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as package:
            for name in (METADATA, WEIGHTS):  # by name, so that no path leaves the folder
                (folder / name).write_bytes(package.read(name))
    except (KeyError, zipfile.BadZipFile) as error:
        raise UnreadableFile(
            f"{path.name} is damaged: {error}", hint="Copy or download it again."
        ) from error
