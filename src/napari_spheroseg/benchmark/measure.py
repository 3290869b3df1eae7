"""Measure the cases of one model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import reason
from ..inference.plan import LARGEST_BATCH, batch_for
from ..models import Model, load
from .case import CaseFailed, in_own_process
from .combinations import Combination
from .flops import flops, matrix_flops
from .networks import network_input, plain_device, plain_network
from .results import Around, CaseResult, Peak
from .settings import PLAIN, BenchmarkSettings
from .stages import (
    MODALITIES,
    FileToFiles,
    Labels,
    WatchedPredictor,
    foreground_dice,
    middle_ms,
    write_images,
)
from .timing import Timing, alternate


@dataclass(eq=False)
class Bench:
    """One model, ready to be measured in all ways.

    Attributes
    ----------
    model : Model
    settings : BenchmarkSettings
    threads : int
    folder : Path
        For images and results that are thrown away.
    """

    model: Model
    settings: BenchmarkSettings
    threads: int
    folder: Path

    def __post_init__(self) -> None:
        self._plain: dict[str, Any] = {}
        self._references: dict[str, FileToFiles] = {}
        self._plain_peaks: dict[tuple[str, int, int], Peak] = {}
        self._truth: dict[Path, Labels] = {}

    def batches(self, combination: Combination, size: int) -> list[int]:
        """Those that were asked for, each once; auto is what a run of many frames would take."""
        side = (size, size)
        found = [
            batch_for(self.model, side, combination.device, LARGEST_BATCH) if it == "auto" else it
            for it in self.settings.batches
        ]
        return list(dict.fromkeys(found))

    def case(
        self, combination: Combination, size: int, batch: int = 1, *, files: bool = True
    ) -> CaseResult:
        """Measure one backend in one precision at one size and batch; what fails says so.

        From file to files the batch is the run's own choice: `files` says whether to measure that.
        """
        where = (combination.backend, combination.precision, combination.device, size, batch)
        result = CaseResult(self.model.metadata.name, *where)
        try:
            own = self._open(combination.backend, combination.precision, combination.device)
            result = self._network(result, own)
            if files and self.settings.with_files:
                result = self._files(result, own)
            if self.settings.memory:
                result = self._memory(result)
        except Exception as error:  # whatever one case does, the others have their turn
            result = replace(result, error=reason(error))
        return result

    def around(self, combination: Combination) -> Around:
        """Everything around the network; with which backend hardly matters."""
        size = self.settings.around_size
        path = write_images(self.folder, size, MODALITIES[:1])[0]
        predictor = self._open(combination.backend, combination.precision, combination.device)
        files = FileToFiles(predictor, self.folder)
        labels = files.run(path)
        alternate([lambda: files.run(path)], self.settings.repeats)
        stages = middle_ms(files.stages[-self.settings.repeats :])
        return Around(self.model.metadata.name, size, int(labels.max()), stages)

    def _open(self, backend: str, precision: str, device: str) -> WatchedPredictor:
        # opened anew: PyTorch's backend moves and rearranges the network that it is given
        return WatchedPredictor(load(self.model.reference), device, backend, precision)

    def _torch(self, device: str) -> FileToFiles:
        """What files and labels are compared with: our own way, with torch in float32."""
        if device not in self._references:
            opened = self._open("torch", "float32", device)
            self._references[device] = FileToFiles(opened, self.folder)
        return self._references[device]

    def _network(self, result: CaseResult, own: WatchedPredictor) -> CaseResult:
        device = plain_device(result.device)
        if device not in self._plain:
            self._plain[device] = plain_network(self.model.reference, device)
        plain = self._plain[device]
        images = network_input(self.model, result.size, result.batch)
        runs = [lambda: own.network(images), lambda: plain(images)]
        timed_runs = alternate(runs, self.settings.repeats)
        mine, its = (each.of_each(result.batch) for each in timed_runs)
        timed = replace(
            result,
            ms=mine.ms,
            range_ms=mine.range_ms,
            cpu_ms=mine.cpu_ms,
            plain_ms=its.ms,
            plain_cpu_ms=its.cpu_ms,
            plain_range_ms=its.range_ms,
        )
        return self._arithmetic(timed) if result.device.startswith("cuda") else timed

    def _arithmetic(self, result: CaseResult) -> CaseResult:
        return replace(
            result,
            tflops=flops(self.model, result.size) / result.ms * 1e-9,
            most_tflops=matrix_flops(result.device, result.precision) * 1e-12,
        )

    def _files(self, result: CaseResult, own: WatchedPredictor) -> CaseResult:
        paths = write_images(self.folder, result.size)
        mine, its = FileToFiles(own, self.folder), self._torch(plain_device(result.device))
        found = [mine.run(path) for path in paths]
        for path in paths:
            if path not in self._truth:
                self._truth[path] = its.run(path)
        timed: list[Timing] = alternate(
            [lambda: mine.run(paths[0]), lambda: its.run(paths[0])], self.settings.repeats
        )
        scores = [
            foreground_dice(labels, self._truth[path])
            for labels, path in zip(found, paths, strict=True)
        ]
        known = [score for score in scores if not math.isnan(score)]
        return replace(
            result,
            files_ms=timed[0].ms,
            torch_files_ms=timed[1].ms,
            stages_ms=middle_ms(mine.stages[-self.settings.repeats :]),
            objects=int(found[0].max()),
            dice=float(np.mean(known)) if known else math.nan,
        )

    def _memory(self, result: CaseResult) -> CaseResult:
        device = plain_device(result.device)
        key = (device, result.size, result.batch)
        if key not in self._plain_peaks:
            self._plain_peaks[key] = self._peak(PLAIN, "float32", *key)
        own = (result.backend, result.precision, result.device, result.size, result.batch)
        return replace(result, peak=self._peak(*own), plain_peak=self._plain_peaks[key])

    def _peak(self, backend: str, precision: str, device: str, size: int, batch: int) -> Peak:
        try:
            found = in_own_process(
                "predict",
                model=self.model.reference,
                backend=backend,
                precision=precision,
                device=device,
                size=size,
                threads=self.threads,
                batch=batch,
            )
        except CaseFailed:
            if backend != PLAIN:
                raise
            return Peak()  # too large for plain PyTorch: no ratio then
        return Peak(found["memory_gb"], found["device_gb"])
