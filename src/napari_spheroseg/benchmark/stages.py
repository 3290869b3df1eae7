"""From file to files, and how long each stage takes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..inference.backends import Backend
from ..inference.frames import Frames
from ..inference.predictor import Predictor, TileDone
from ..models import Model, Preparation
from ..readwrite.atomic import replacing
from ..readwrite.geojson import PolygonFile, write_geojson
from ..readwrite.images import read_image
from ..readwrite.tiff import write_image, write_labels
from ..segmentation.labelling import label_and_boxes
from ..segmentation.measure import measure_plane
from ..segmentation.polygons import outline
from ..segmentation.run import complete
from ..segmentation.scale import look
from ..steps import run_to_end
from ..synthetic import Modality, spheroids

Float = NDArray[np.float32]
Labels = NDArray[np.int32]

STAGES = ("read", "prepare", "network", "stitch", "labels", "polygons", "table", "write")
"""In the order of the work; "stitch" is the sum of tiles and the resize of maps."""
FILES = ("read", "write")
OBJECTS = 20
_PIXEL_SIZE = 1.3
MODALITIES: tuple[Modality, ...] = ("fluorescence", "brightfield")


class Stopwatch:
    """Seconds of each stage; always one stage is on."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._stage, self._since = "", 0.0

    def now(self, stage: str) -> None:
        """Another stage begins; "" ends the last."""
        time_now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] += time_now - self._since
        self._stage, self._since = stage, time_now


class WatchedPredictor(Predictor):
    """Tells a stopwatch what it is doing."""

    watch = Stopwatch()

    def __init__(self, model: Model, device: str, backend: str, precision: str) -> None:
        super().__init__(model, device, backend, precision)
        self._backend: Backend = _Watched(self._backend, self)

    def network(self, batch: Float) -> Float:
        """The backend alone."""
        return self._backend.predict(batch)

    def predict(
        self, plane: NDArray[np.uint16], preparation: Preparation | None = None
    ) -> Generator[TileDone, None, Float]:
        """As `Predictor.predict`."""
        self.watch.now("prepare")
        maps = yield from super().predict(plane, preparation)
        self.watch.now("labels")  # of a first look, or of the last
        return maps


class _Watched(Backend):
    """A backend that tells when it runs."""

    def __init__(self, backend: Backend, of: WatchedPredictor) -> None:
        self._backend, self._of = backend, of
        self.name, self.device, self.precision = backend.name, backend.device, backend.precision

    def predict(self, batch: Float) -> Float:
        self._of.watch.now("network")
        output = self._backend.predict(batch)
        self._of.watch.now("stitch")
        return output


@dataclass(frozen=True)
class FileToFiles:
    """One way of segmenting files, as `spheroseg segment` does.

    Attributes
    ----------
    predictor : WatchedPredictor
    out : Path
        Folder for the results.
    stages : list of dict
        Seconds of each stage, one a run.
    """

    predictor: WatchedPredictor
    out: Path
    stages: list[dict[str, float]] = field(default_factory=list)

    def run(self, path: Path) -> Labels:
        """Segment a file of one plane; write labels, polygons and the table."""
        watch = self.predictor.watch = Stopwatch()
        watch.now("read")
        file = read_image(path)
        watch.now("prepare")
        plane = Frames.of(file.data, file.axes)[()]
        recipe = complete(self.predictor, 0.5, _PIXEL_SIZE, {})
        settings, size = recipe.post_processing(), recipe.pixel_size
        maps = run_to_end(look(self.predictor, plane, recipe.preparation(), settings))
        distance = maps[1] if len(maps) > 1 else None
        labels, boxes = label_and_boxes(maps[0], settings, distance)
        watch.now("table")
        table = measure_plane(labels, plane, maps[0], size, boxes)
        watch.now("polygons")
        polygons = outline(labels, settings.tolerance, boxes)
        watch.now("write")
        write_labels(self.out / f"{path.stem}_labels.tif", labels, "YX", size)
        content = PolygonFile(polygons, "", size, recipe.model_dump(mode="json"))
        rows = table.to_dict("records")
        write_geojson(self.out / f"{path.stem}_polygons.geojson", content, rows)  # type: ignore[arg-type]
        with replacing(self.out / "measurements.csv") as temporary:
            table.to_csv(temporary, index=False)
        watch.now("")
        self.stages.append(watch.seconds)
        return labels


def middle_ms(stages: list[dict[str, float]]) -> dict[str, float]:
    """Median of each stage, in milliseconds."""
    return {name: float(np.median([each[name] for each in stages])) * 1000 for name in STAGES}


def write_images(
    folder: Path, side: int, modalities: Iterable[Modality] = MODALITIES
) -> list[Path]:
    """Synthetic images of 20 spheroids as files, one a modality, unless they are there."""
    paths = []
    for modality in modalities:
        path = folder / f"{modality}_{side}.tif"
        if not path.is_file():
            drawn = spheroids((side, side), OBJECTS, modality, seed=1, radius=(0.03, 0.06))
            write_image(path, drawn.image)
        paths.append(path)
    return paths


def foreground_dice(found: Labels, truth: Labels) -> float:
    """Dice of all objects' pixels together; NaN where neither has any."""
    total = int((found > 0).sum()) + int((truth > 0).sum())
    both = int(((found > 0) & (truth > 0)).sum())
    return 2 * both / total if total else float("nan")
