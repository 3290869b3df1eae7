"""What a benchmark found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from .combinations import Combination
from .settings import BenchmarkSettings
from .stages import FILES, STAGES


@dataclass(frozen=True)
class Peak:
    """Peak memory of a process that opens a model and runs its network, in GB.

    Attributes
    ----------
    memory_gb : float
        RAM, the interpreter and its libraries included.
    device_gb : float or None
        Of a CUDA device.
    """

    memory_gb: float = math.nan
    device_gb: float | None = None

    @property
    def of_device(self) -> float:
        """Of the CUDA device where there is one, else RAM."""
        return self.memory_gb if self.device_gb is None else self.device_gb


@dataclass(frozen=True)
class CaseResult:
    """One model through one backend at one size and batch, beside plain PyTorch in float32.

    What was not measured is NaN, or empty.

    Attributes
    ----------
    model, backend, precision, device : str
    size : int
        Side of the image in px.
    batch : int
        Images that went through the network together, the plain one as well.
    ms, plain_ms : float
        Network alone: median time of an image, and that of the plain network.
    cpu_ms, plain_cpu_ms : float
        The same in processor time, all threads together.
    range_ms, plain_range_ms : (float, float)
        Shortest and longest, of an image as well.
    peak, plain_peak : Peak
    files_ms, torch_files_ms : float
        From file to files, and the same with our torch backend in float32.
    stages_ms : dict
        Median of each stage.
    objects : int
        Found in the image.
    dice : float
        Of the foreground with that of our torch backend in float32.
    tflops, most_tflops : float
        1e12 operations a second of the network, and of a matrix product on the same device.
    error : str
        Why it failed.
    """

    model: str
    backend: str
    precision: str
    device: str
    size: int
    batch: int = 1
    ms: float = math.nan
    plain_ms: float = math.nan
    cpu_ms: float = math.nan
    plain_cpu_ms: float = math.nan
    range_ms: tuple[float, float] = (math.nan, math.nan)
    plain_range_ms: tuple[float, float] = (math.nan, math.nan)
    peak: Peak = Peak()
    plain_peak: Peak = Peak()
    files_ms: float = math.nan
    torch_files_ms: float = math.nan
    stages_ms: dict[str, float] = field(default_factory=dict)
    objects: int = 0
    dice: float = math.nan
    tflops: float = math.nan
    most_tflops: float = math.nan
    error: str = ""

    @property
    def name(self) -> str:
        """Backend and precision, and the batch where it is one."""
        batch = f", batch {self.batch}" if self.batch > 1 else ""
        return f"{self.backend} {self.precision}{batch}"

    @property
    def images_per_second(self) -> float:
        """Through the network alone."""
        return 1000 / self.ms

    @property
    def speed(self) -> float:
        """How many times as fast as plain PyTorch in float32."""
        return self.plain_ms / self.ms

    @property
    def cpu_speed(self) -> float:
        """`speed` by processor time: steadier on a busy machine, and blind to waiting threads."""
        return self.plain_cpu_ms / self.cpu_ms if self.cpu_ms else math.nan

    @property
    def files_speed(self) -> float:
        """How many times as fast as torch in float32, from file to files."""
        return self.torch_files_ms / self.files_ms

    @property
    def memory_ratio(self) -> float:
        """How many times the peak memory of plain PyTorch in float32."""
        return self.peak.of_device / self.plain_peak.of_device

    @property
    def shares(self) -> dict[str, float]:
        """Part of each stage in the whole."""
        whole = sum(self.stages_ms.values())
        return {name: value / whole for name, value in self.stages_ms.items()}


@dataclass(frozen=True)
class Around:
    """Everything around the network, for an image of 20 spheroids.

    Attributes
    ----------
    model : str
    size : int
        Side of the image in px.
    objects : int
        That were found.
    stages_ms : dict
        Median of each stage.
    """

    model: str
    size: int
    objects: int
    stages_ms: dict[str, float]

    @property
    def memory_ms(self) -> float:
        """From the image in memory to the table: all but the network and the files."""
        return sum(self.stages_ms[name] for name in STAGES if name not in ("network", *FILES))

    @property
    def files_ms(self) -> float:
        """Reading and writing."""
        return sum(self.stages_ms[name] for name in FILES)


@dataclass(frozen=True)
class Growth:
    """From file to files, for one size or number of frames.

    Attributes
    ----------
    model : str
    kind : {"size", "frames"}
    amount : int
        Side in px, or number of frames of 512 x 512 px.
    seconds, memory_gb : float
        Time, and peak RAM of the process.
    device_gb : float or None
        Peak of a CUDA device.
    objects : int
    error : str
        Why it failed.
    """

    model: str
    kind: str
    amount: int
    seconds: float = math.nan
    memory_gb: float = math.nan
    device_gb: float | None = None
    objects: int = 0
    error: str = ""

    @property
    def megapixels(self) -> float:
        """Of all frames together."""
        return self.amount**2 / 1e6 if self.kind == "size" else self.amount * 512**2 / 1e6


@dataclass
class Results:
    """All that was measured so far.

    Attributes
    ----------
    settings : BenchmarkSettings
    machine, versions : dict
    threads : int
    started, finished : str
        When, in UTC; `finished` is "" where the run was stopped.
    load_after : float or None
        Processes that wanted a core in the last minute of the run.
    unavailable : list of Combination
    cases : list of CaseResult
    around : list of Around
    growth : list of Growth
    """

    settings: BenchmarkSettings
    machine: dict[str, Any]
    versions: dict[str, str]
    threads: int
    started: str
    finished: str = ""
    load_after: float | None = None
    unavailable: list[Combination] = field(default_factory=list)
    cases: list[CaseResult] = field(default_factory=list)
    around: list[Around] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """What failed, and why."""
        cases = [(f"{e.model}, {e.name}, {e.size} px", e.error) for e in self.cases if e.error]
        growth = [(f"{e.model}, {e.kind} {e.amount}", e.error) for e in self.growth if e.error]
        return cases + growth
