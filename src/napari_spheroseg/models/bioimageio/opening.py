"""Packages of the BioImage Model Zoo, opened: ours as they were, others where they fit.

Nothing in a package is executed but its ONNX graph, by ONNX Runtime.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ...errors import UnreadableFile, brief
from ..formats.archive import Archive, check_directory, parse_yaml
from ..installing import install_opened
from ..library import METADATA, WEIGHTS, load
from ..metadata import GRAPH, ModelMetadata, as_name
from ..model import Model
from .description import UnfitPackage, preparation_of, result_of
from .packages import CONFIG, quiet_spec

_DESCRIPTIONS = {"rdf.yaml", "bioimageio.yaml", "model.yaml"}


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
        there = ", ".join(name for name, each in described.weights if each is not None)
        raise UnfitPackage(
            f"{path.name} has no ONNX weights, only {there}, which may run code of their own",
            hint="Ask its authors for ONNX.",
        )
    graph = _graph(path, described.weights.onnx)
    metadata = ModelMetadata(
        name=as_name(str(described.id or path.stem), "package"),
        title=described.name,
        network=GRAPH,
        arguments={"channel": channel, "is_probability": is_probability},
        preparation=preparation,
        threshold=threshold,
        licence=str(described.license or ""),
        description=_about(described),
        source=path.name,
        sha256=hashlib.sha256(graph).hexdigest(),
    )
    model = Model(metadata, None, str(path), _content=graph)
    _ = model.network  # a damaged graph is refused now, not at the first image
    return model


def is_package(path: Path) -> bool:
    """Whether a zip is a package of the BioImage Model Zoo."""
    try:
        check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return any(map(_is_description, archive.namelist()))
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False  # as whoever reads it will say


def install_package(
    path: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    source: str | None = None,
) -> ModelMetadata:
    """Install a package for all later runs: ours as it was, another's with its ONNX graph.

    Parameters
    ----------
    path, name, replace
        As `install` takes them.
    source : str, optional
        Where it came from; by default the name of the file.

    Raises
    ------
    MissingPackage, UnreadableFile, UnsafeFile, UnfitPackage, NameTaken, BadSetting
        As `open_package` and `install`.
    """
    path = Path(path)
    model = open_package(path)
    return install_opened(path, model, name, replace, source or path.name)


def _read(path: Path) -> Any:
    """Description of a package, brought to the newest version of the format; checked."""
    spec = quiet_spec()
    if not path.is_file():
        raise UnreadableFile(f"There is no file {path}", hint="Check the path.")
    if not zipfile.is_zipfile(path):
        raise UnreadableFile(f"{path.name} is no zip", hint="Download it again.")
    with Archive(path) as archive:
        for name in filter(_is_description, archive.names):
            parse_yaml(archive.read(name), name)  # which refuses what would fill the memory
    try:
        with spec.ValidationContext(perform_io_checks=False):  # nothing is fetched
            described = spec.load_description(path, format_version="latest")
    except Exception as error:  # whatever a description makes the zoo's package stumble over
        raise UnreadableFile(f"{path.name} is no valid package: {brief(error)}") from error
    if isinstance(described, spec.InvalidDescr):
        faults = [f for d in described.validation_summary.details for f in d.errors]
        where = ".".join(map(str, faults[0].loc)) if faults else ""
        said = faults[0].msg if faults else "it has no valid rdf.yaml"
        said = brief(f"{where}: {said}".removeprefix(": "))
        raise UnreadableFile(f"{path.name} is no valid package: {said}")
    if described.type != "model":
        raise UnfitPackage(f"{path.name} holds no model, but a {described.type}")
    return described


def _graph(path: Path, weights: Any) -> bytes:
    if "://" in str(weights.source):
        raise UnfitPackage(
            f"Its weights lie elsewhere: {weights.source}", hint="Download the whole package."
        )
    try:
        graph: bytes = weights.get_reader().read()  # compares the checksum, where one is told
    except Exception as error:  # the reader's have no common base
        raise UnreadableFile(
            f"The weights in {path.name} cannot be used: {brief(error)}"
        ) from error
    return graph


def _about(described: Any) -> str:
    """What it is, who made it, and what they ask to cite."""
    authors = ", ".join(each.name for each in described.authors)
    cited = "; ".join(str(each.doi or each.url or each.text) for each in described.cite)
    parts = (described.description, authors and f"By {authors}.", cited and f"Cite: {cited}.")
    return " ".join(str(each) for each in parts if each)


def _is_description(name: str) -> bool:
    return name in _DESCRIPTIONS or ("/" not in name and name.endswith(".bioimageio.yaml"))


def _open_ours(path: Path) -> Model:
    """Model of a package of ours, in memory: the folder that it is unpacked to does not last."""
    with tempfile.TemporaryDirectory(prefix="spheroseg-") as folder:
        _unpack_ours(path, Path(folder))
        model = load(Path(folder))
        _ = model.network
    model.weights, model.reference = None, str(path)
    return model


def _unpack_ours(path: Path, folder: Path) -> None:
    with Archive(path) as package:
        for name in (METADATA, WEIGHTS):  # by name, so that no path leaves the folder
            package.extract(name, folder / name)
