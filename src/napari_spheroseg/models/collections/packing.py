"""Packing models into a collection: our own, or one that HiTMicTools reads."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import BadSetting, UnknownName, UnreadableFile
from ...readwrite.atomic import replacing
from .. import library
from ..formats.archive import parse_yaml, read_text
from .classifiers import CLASSIFIERS
from .hitmictools import load_described, read_description, settings_of
from .kinds import KINDS, TRACKER, key_of
from .manifest import MANIFEST, SAMPLE, SAMPLE_LABELS, Manifest, Packed
from .reading import CONFIG, TRACKER_CONFIG
from .reproduce import labels_of, sample_image

_OURS = ("models", "name", "description", "licence")
_STABLE = (1980, 1, 1, 0, 0, 0)  # the same models give the same file, bit for bit


def bundle(config: str | Path, output: str | Path) -> Path:
    """Pack models into a zip.

    Parameters
    ----------
    config : str or Path
        A YAML with HiTMicTools' keys (``segmentation: {model_path, model_metadata,
        inferer_args...}``, ``tracker: {config_path}``), its paths relative to its folder; or with
        ``models``, a list of installed ones, and ``name``, ``description``, ``licence``.
    output : str or Path
        The zip; complete or not written.

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    BadSetting, UnknownName, NoWeights
        The YAML asks for what there is not.
    UnreadableFile, UnsafeFile, WrongWeights
        A file cannot be used, or the zip not be written.
    """
    config, output = Path(config), Path(output)
    content = parse_yaml(read_text(config), config.name)
    write = _pack_ours if "models" in content else _pack_theirs
    with replacing(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        write(content, config, archive, output)
    return output


def pack(names: list[str], output: str | Path, **described: str) -> Path:
    """Pack installed models into a zip of ours; see `bundle`.

    Parameters
    ----------
    names : list of str
        As in `models.available`.
    output : str or Path
        The zip.
    **described
        ``name``, ``description`` and ``licence`` of the collection.
    """
    output = Path(output)
    with replacing(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _pack_ours({"models": names, **described}, output, archive, output)
    return output


def _pack_ours(
    content: Mapping[str, Any], config: Path, archive: zipfile.ZipFile, output: Path
) -> None:
    if unknown := [key for key in content if key not in _OURS]:
        raise BadSetting(
            f"There is no setting '{unknown[0]}'", hint=f"There are: {', '.join(_OURS)}."
        )
    names = content["models"]
    if not isinstance(names, list) or not names or len(set(map(str, names))) < len(names):
        raise BadSetting("'models' is a list of the names of installed models, each once")
    manifest = Manifest(
        name=content.get("name", output.stem.replace(" ", "_")),
        description=content.get("description", ""),
        licence=content.get("licence", ""),
        models={name: _pack_model(archive, name) for name in map(str, names)},
    )
    _add(archive, MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())


def _pack_model(archive: zipfile.ZipFile, name: str) -> Packed:
    """Put an installed model's files and what it finds in a sample into the zip."""
    folder = library.folder_of(name)
    model = library.load(folder)
    model.check()  # whole, and the one that it says it is
    metadata = model.metadata.replace(name=name)
    files: dict[str, bytes] = {
        library.METADATA: (metadata.model_dump_json(indent=2) + "\n").encode(),
        metadata.weights_file: (folder / metadata.weights_file).read_bytes(),
    }
    has_card = (folder / library.CARD).is_file()
    if has_card:
        files[library.CARD] = (folder / library.CARD).read_bytes()
    image = sample_image()
    with contextlib.suppress(UnknownName):  # nothing runs models of its task
        files[SAMPLE_LABELS] = _array(labels_of(model, image))
        files[SAMPLE] = _array(image)
    for file, data in files.items():
        _add(archive, f"{name}/{file}", data)
    return Packed(
        files={file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
        licence=metadata.licence,
        card=library.CARD if has_card else None,
        sample=SAMPLE if SAMPLE in files else None,
        sample_labels=SAMPLE_LABELS if SAMPLE in files else None,
    )


def _pack_theirs(
    content: Mapping[str, Any], config: Path, archive: zipfile.ZipFile, output: Path
) -> None:
    import yaml

    now = datetime.datetime.now().astimezone()
    about = {"creation_date": f"{now:%Y-%m-%d %H:%M:%S}", "source_config": config.name}
    written: dict[str, Any] = {"_bundle_metadata": about}
    for name, given in content.items():
        if name == "_bundle_metadata":
            continue
        if not isinstance(given, dict):
            raise BadSetting(f"'{name}' in {config.name} is no mapping")
        if name == TRACKER:
            tracker = config.parent / str(given.get("config_path", ""))
            parse_yaml(read_text(tracker), tracker.name)
            _add(archive, TRACKER_CONFIG, read_text(tracker))
            continue
        key = key_of(name)
        written[key] = _pack_described(archive, key, given, config.parent)
    if len(written) == 1:
        raise BadSetting(
            f"{config.name} describes no model",
            hint=f"It needs 'models', or some of: {', '.join(KINDS)}.",
        )
    _add(archive, CONFIG, yaml.safe_dump(written, sort_keys=False, allow_unicode=True).encode())


def _pack_described(
    archive: zipfile.ZipFile, key: str, given: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Put a model's files into the zip; what config.yml says of it."""
    kind = KINDS[key]
    settings = settings_of(given)
    source = folder / str(given.get("model_path", ""))
    if not source.is_file():
        raise UnreadableFile(f"'{key}': there is no file {source}", hint="Correct model_path.")
    suffix, convert = ".pth", False
    if not kind.network and source.suffix.lower() in CLASSIFIERS:
        suffix = source.suffix.lower()
    elif kind.network:
        load_described(key, given, folder)  # refused here, and not where it is used
        convert = True
    entry: dict[str, Any] = {"model_path": f"models/{kind.stem}{suffix}"}
    _add(archive, entry["model_path"], _state_dict(source) if convert else source.read_bytes())
    if "model_metadata" in given:
        described = read_description(folder / str(given["model_metadata"]))
        described["original_name"] = source.name
        entry["model_metadata"] = f"metadata/{kind.stem}.json"
        _add(archive, entry["model_metadata"], json.dumps(described, indent=2).encode())
    elif key != "pi_classification":
        raise BadSetting(f"'{key}' lacks model_metadata", hint="Give the path of its JSON.")
    inferer = {k: v for k, v in settings["inferer_args"].items() if v != {}}
    model = settings["model_args"]
    if settings["classes"] and key == "cell_classifier":
        model = {**model, "classes": dict(enumerate(settings["classes"]))}
    return entry | {k: v for k, v in (("inferer_args", inferer), ("model_args", model)) if v}


def _state_dict(source: Path) -> bytes:
    """Weights alone, as HiTMicTools loads them: no optimiser, no wrapper."""
    import torch

    from ..formats.checkpoints import read_state

    buffer = io.BytesIO()
    torch.save(read_state(source), buffer)
    return buffer.getvalue()


def _array(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _STABLE)
    member.external_attr = 0o644 << 16
    # weights are noise to a compressor
    is_text = name.endswith((".json", ".yml", ".md", ".npy"))
    member.compress_type = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
    archive.writestr(member, data)
