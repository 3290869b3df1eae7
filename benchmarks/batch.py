"""Rate of a batch beside that of the bare network, and its memory from image to image.

    python benchmarks/batch.py [--images 1000] [--side 1024] [--model unet] [--folder DIR]

Synthetic images are written as TIFF and segmented as `spheroseg segment` does. The bare network
is what the backend takes with nothing around it, before and after the batch: for the arrays that
those images gave it ("as given": a model looks at them at the scale that suits it, perhaps twice),
and for the images as they are ("full size"). Prints JSON: seconds an image of all three, by the
clock and of the processor, the rate of the batch divided by those of the bare network, and
resident memory (MB) after each tenth of the images.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.batch.run import segment_files
from napari_spheroseg.inference.prepare import prepare
from napari_spheroseg.segmentation.run import open_predictor, segment

DIFFERENT = 40  # images; the others have the same content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--model", default="unet")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--folder", type=Path, help="For images and results; else a temporary one.")
    options = parser.parse_args()
    how = {"backend": options.backend, "precision": options.precision}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = draw(Path(folder) / "in", options.images, options.side)
        different = paths[:DIFFERENT]
        arrays = given_to_the_network(different, options.model, how)
        predictor = open_predictor(options.model, **how)
        bare(predictor._backend, as_they_are(different[:3], predictor))  # it plans for the size
        before = both(predictor, arrays, different)
        found = batch(paths, Path(folder) / "out", options.model, how)
        after = both(predictor, arrays, different)
    network = {
        name: {key: (before[name][key] + after[name][key]) / 2 for key in before[name]}
        for name in before
    }
    rate = {
        name: {key: round(each[key] / found[key], 3) for key in each}
        for name, each in network.items()
    }
    print(json.dumps({"bare": network, "batch": found, "rate of batch / bare": rate}, indent=2))


def draw(folder: Path, count: int, side: int) -> list[Path]:
    """Files of synthetic images."""
    folder.mkdir()
    paths = [folder / f"{number:05d}.tif" for number in range(count)]
    for number, path in enumerate(paths):
        if number < DIFFERENT:
            image = ss.synthetic.spheroids((side, side), 12, seed=number).image
            tifffile.imwrite(path, image)
        else:
            path.hardlink_to(paths[number % DIFFERENT])
    return paths


def given_to_the_network(paths: list[Path], model: str, how: dict[str, str]) -> list[list[Any]]:
    """The arrays that each image gives to the network."""
    predictor = open_predictor(model, **how)
    seen: list[Any] = []
    predict = predictor._backend.predict
    predictor._backend.predict = lambda array: (seen.append(array.copy()), predict(array))[1]
    arrays = []
    for path in paths:
        seen.clear()
        segment(ss.read_image(path).data, model, **how)
        arrays.append(list(seen))
    predictor._backend.predict = predict
    return arrays


def as_they_are(paths: list[Path], predictor: Any) -> Iterator[list[Any]]:
    """Images as arrays for the network, none of them made smaller."""
    how = predictor.model.metadata.preparation.replace(size=None, long_side=None, scale=1.0)
    for path in paths:
        yield [prepare(ss.read_image(path).data, how)[None]]


def both(predictor: Any, arrays: list[list[Any]], paths: list[Path]) -> dict[str, Any]:
    """`bare` with what the pipeline gives to the network, and with the images as they are."""
    return {
        "as given": bare(predictor._backend, arrays),
        "full size": bare(predictor._backend, as_they_are(paths, predictor)),
    }


def bare(backend: Any, images: Iterable[list[Any]]) -> dict[str, float]:
    """Seconds an image of the network alone, by the clock and by the processor."""
    clock = processor = count = 0.0
    for arrays in images:
        started = time.perf_counter(), time.process_time()
        for array in arrays:
            backend.predict(array)
        clock += time.perf_counter() - started[0]
        processor += time.process_time() - started[1]
        count += 1
    return {"seconds": clock / count, "cpu_seconds": processor / count}


def batch(paths: list[Path], out: Path, model: str, how: dict[str, str]) -> dict[str, Any]:
    """Seconds an image of the whole, and memory as it goes."""
    process, memory = psutil.Process(), []
    clock, processor = time.perf_counter(), time.process_time()
    for number, item in enumerate(segment_files(paths, out, model, **how), start=1):
        if item.error:
            raise SystemExit(item.error)
        if number % max(len(paths) // 10, 1) == 0:
            memory.append(round(process.memory_info().rss / 1e6))
    return {
        "seconds": (time.perf_counter() - clock) / len(paths),
        "cpu_seconds": (time.process_time() - processor) / len(paths),
        "memory_mb": memory,
    }


if __name__ == "__main__":
    main()
