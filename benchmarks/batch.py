"""Rate of a batch beside that of the bare network, and its memory from image to image.

    python benchmarks/batch.py [--images 1000] [--side 1024] [--model unet] [--folder DIR]

Synthetic images are written as TIFF and segmented as `spheroseg segment` does. The bare network
is what the backend takes for the same arrays as those images gave it, before and after the batch,
with nothing around it. Prints JSON: images a second of both, their ratio, also by the time of the
processor, and resident memory (MB) after each tenth of the images.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import tifffile

import napari_spheroseg as ss
from napari_spheroseg.batch.run import segment_files
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
        arrays = given_to_the_network(paths[:DIFFERENT], options.model, how)
        backend = open_predictor(options.model, **how)._backend
        before = bare(backend, arrays)
        found = batch(paths, Path(folder) / "out", options.model, how)
        after = bare(backend, arrays)
    network = {key: (before[key] + after[key]) / 2 for key in before}
    ratio = {key: round(network[key] / found[key], 3) for key in network}
    print(json.dumps({"bare": network, "batch": found, "batch / bare": ratio}, indent=2))


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


def bare(backend: Any, arrays: list[list[Any]]) -> dict[str, float]:
    """Seconds an image of the network alone, by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    for image in arrays:
        for array in image:
            backend.predict(array)
    return {
        "seconds": (time.perf_counter() - clock) / len(arrays),
        "cpu_seconds": (time.process_time() - processor) / len(arrays),
    }


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
