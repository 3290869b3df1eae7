"""Which files a list of files, folders and patterns stands for."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain, count
from pathlib import Path

from ..errors import UnreadableFile
from ..readwrite.acquired import plate_images
from ..readwrite.images import SUFFIXES, ZARR, is_zarr, stem_of
from .outputs import OUTPUTS

_LONGEST = 220  # bytes, of the 255 that most drives allow for the name of a file
_OURS = tuple(ending for kind in OUTPUTS.values() for ending in kind.endings)


def find_images(inputs: Iterable[str | Path]) -> list[Path]:
    """Image files, each once, in the order of inputs and by name within a folder or pattern.

    Parameters
    ----------
    inputs : iterable of str or Path
        Files and folders of zarr, taken whatever they are; other folders, searched for images but
        not their subfolders; patterns with ``*``, ``?`` or ``**``. Our own label images are passed
        over in the latter. An OME-Zarr plate stands for all its fields.

    Returns
    -------
    list of Path

    Raises
    ------
    UnreadableFile
        A folder or pattern holds no image. A file that is missing is returned: it fails by itself.
    """
    found: dict[Path, None] = {}
    for each in inputs:
        path = Path(each)
        if path.is_dir() and not is_zarr(path):
            matches = sorted(path.iterdir())
        elif glob.has_magic(str(each)) and not path.exists():
            matches = sorted(Path(match) for match in glob.glob(str(each), recursive=True))  # noqa: PTH207
        else:
            found |= dict.fromkeys(_fields_of(path))
            continue
        images = [match for match in matches if _is_image(match)]
        if not images:
            raise UnreadableFile(
                f"'{each}' holds no image", hint=f"Images end in {', '.join((*SUFFIXES, ZARR))}."
            )
        found |= dict.fromkeys(field for image in images for field in _fields_of(image))
    return list(found)


def output_stems(paths: list[Path]) -> dict[Path, str]:
    """A name for each file's results that no other file's has.

    The file's stem; where several share it, with its folder or suffix, or at last a number. Case
    does not tell names apart: on some systems it does not tell files apart.
    """
    stems = {path: stem_of(path) for path in paths}
    longer: tuple[Callable[[Path], str], ...] = (
        lambda path: f"{path.resolve().parent.name}_{stem_of(path)}",
        lambda path: f"{path.resolve().parent.name}_{stem_of(path)}_{path.suffix[1:]}",
    )
    for name in longer:
        times = Counter(stem.casefold() for stem in stems.values())
        stems |= {path: name(path) for path, stem in stems.items() if times[stem.casefold()] > 1}
    taken: set[str] = set()
    for path, stem in stems.items():
        stems[path] = not_taken(stem, taken)
    return stems


def not_taken(stem: str, taken: set[str]) -> str:
    """A name like this one that is not among those taken, with a number if need be; takes it.

    Where it is so long that what follows it would have no room, its end is left out.
    """
    if len(stem.encode("utf-8", "replace")) > _LONGEST:
        stem = stem.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
    numbered = chain([stem], (f"{stem}_{number}" for number in count(2)))
    free = next(each for each in numbered if each.casefold() not in taken)
    taken.add(free.casefold())
    return free


def _fields_of(path: Path) -> list[Path]:
    """Of a plate its images, else what is given."""
    return (plate_images(path) if path.is_dir() else []) or [path]


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    known = name.endswith(SUFFIXES) if path.is_file() else name.endswith(ZARR) and is_zarr(path)
    return known and not name.startswith(".") and not name.endswith(_OURS)
