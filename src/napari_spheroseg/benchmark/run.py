"""The benchmark: one case after the other, written as they come."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import reason
from ..models import Model
from .combinations import Combination, combinations
from .growth import grow
from .machine import all_versions, load_average, machine
from .measure import Bench
from .networks import wanted_models
from .report import write_record, write_report
from .results import Around, Results
from .settings import BenchmarkSettings
from .timing import same_threads


@dataclass(frozen=True)
class Measured:
    """Progress: what is done, of how much, and all results so far."""

    done: int
    total: int
    what: str
    results: Results


def benchmark(settings: BenchmarkSettings, out: Path) -> Generator[Measured, None, None]:
    """Measure all cases.

    Parameters
    ----------
    settings : BenchmarkSettings
    out : Path
        Made if need be; gets ``benchmark.json`` after every case, and in the end ``benchmark.md``
        and ``benchmark.png``, also where the caller stops before.

    Yields
    ------
    Measured
        After every case.

    Raises
    ------
    UnknownName, NoWeights, NoDevice, BadSetting
        Something that was asked for by name is not there.
    UnreadableFile
        The files cannot be written.
    """
    with (
        tempfile.TemporaryDirectory(prefix="spheroseg-") as folder,
        same_threads(settings.threads) as threads,
    ):
        scratch = Path(folder)
        models = wanted_models(settings.models, settings.published, scratch)
        found = combinations(settings, models[0])
        results = Results(settings, machine(), all_versions(), threads, _now())
        results.unavailable = [each for each in found if each.reason]
        try:
            yield from _measure(models, results, scratch, out, found)
            results.finished = _now()
        finally:  # also when the caller stops: what is measured is measured
            results.load_after = load_average()
            write_report(results, out)


def _measure(
    models: list[Model], results: Results, scratch: Path, out: Path, found: list[Combination]
) -> Iterator[Measured]:
    settings, threads = results.settings, results.threads
    there = [each for each in found if not each.reason]
    grown = len(settings.grow_sizes) + len(settings.grow_frames)
    around = int(settings.with_files)
    benches = [Bench(model, settings, threads, scratch) for model in models]
    cases = {
        bench: [
            (each, size, batch)
            for size in settings.sizes
            for each in there
            for batch in bench.batches(each, size)
        ]
        for bench in benches
    }
    total = sum(map(len, cases.values())) + len(models) * (grown + around)
    done = 0

    def tell(what: str) -> Measured:
        nonlocal done
        done += 1
        write_record(results, out)
        return Measured(done, total, what, results)

    for bench in benches:
        name = bench.model.metadata.name
        before = None
        for each, size, batch in cases[bench]:
            files, before = before != (each, size), (each, size)  # whatever the batch: once
            results.cases.append(bench.case(each, size, batch, files=files))
            yield tell(f"{name}, {results.cases[-1].name}, {size} px")
        if around:
            results.around += _around(bench, there)
            yield tell(f"{name}, around the network")
        for growth in grow(bench.model, settings, threads, scratch) if grown else ():
            results.growth.append(growth)
            yield tell(f"{name}, {growth.kind} {growth.amount}")


def _around(bench: Bench, there: list[Combination]) -> list[Around]:
    """With the first backend that does it; none where all fail, as their cases have told."""
    for each in there:
        try:
            return [bench.around(each)]
        except Exception as error:
            reason(error)
    return []


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
