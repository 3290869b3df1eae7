"""A model: a network with weights, preparation and metadata."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NoWeights, UnreadableFile, WrongWeights
from .metadata import ModelMetadata

if TYPE_CHECKING:
    from torch import nn

    from .formats.checkpoints import StateDict


@dataclass(eq=False)
class Model:
    """A network with weights, preparation and metadata.

    Attributes
    ----------
    metadata : ModelMetadata
        What is known of it.
    weights : Path or None
        Its safetensors file; None where no weights are installed.
    reference : str
        The name or path that `load` finds it by.
    """

    metadata: ModelMetadata
    weights: Path | None
    reference: str = ""
    _state: StateDict | None = field(default=None, repr=False)
    _content: bytes | None = field(default=None, repr=False)
    _network: nn.Module | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def network(self) -> nn.Module:
        """The network with its weights, in evaluation mode; read and checked on first use.

        Raises
        ------
        NoWeights
            None are installed.
        UnreadableFile
            The file is gone or damaged.
        WrongWeights
            The file is not the one that the metadata describe.
        """
        with self._lock:
            if self._network is None:
                self._network = self._build()
            return self._network

    def borrow(self) -> nn.Module:
        """`network` if it is in memory already, else one that is not kept there.

        Raises
        ------
        NoWeights, UnreadableFile, WrongWeights
            As `network`.
        """
        with self._lock:
            return self._network or self._build(keep_state=True)

    def content(self) -> bytes:
        """The file of a taught classifier, or an ONNX graph.

        Raises
        ------
        NoWeights, UnreadableFile, WrongWeights
            As `network`.
        """
        if self._content is None:
            # read once: what is opened is what was compared
            self._content = self._checked_file().read_bytes()
        if hashlib.sha256(self._content).hexdigest() != self.metadata.sha256:
            self._content = None
            raise self._changed()
        return self._content

    def check(self) -> None:
        """Read it all: the checksum, and the weights strictly into their network.

        Raises
        ------
        NoWeights, UnreadableFile, WrongWeights
            As `network`.
        """
        if self.metadata.is_taught:
            self.content()
        else:
            self.borrow()

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights: those of the network in memory, else those of the file.

        Raises
        ------
        NoWeights, UnreadableFile, WrongWeights
            As `network`; torch is not imported for a file's.
        """
        with self._lock:
            if self.metadata.keeps_file:
                self.content()
                return str(self.metadata.sha256)
            if self._network is None and self._state is None:
                self._checked_file()
                return str(self.metadata.sha256)
            network = self._network or self._build(keep_state=True)
        digest = hashlib.sha256()
        for key, value in network.state_dict().items():  # it may have been trained meanwhile
            digest.update(key.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _checked_file(self) -> Path:
        """The file of the weights, which is the one that the metadata describe."""
        name = self.metadata.name
        if self.weights is None or not self.metadata.has_weights:
            raise no_weights(self.metadata)
        if not self.weights.is_file():
            raise UnreadableFile(
                f"The weights of '{name}' are missing: there is no file {self.weights}",
                hint="Install the model again.",
            )
        if sha256_of(self.weights) != self.metadata.sha256:
            raise self._changed()
        return self.weights

    def _changed(self) -> WrongWeights:
        return WrongWeights(
            f"The weights of '{self.metadata.name}' are not those that its model.json describes",
            hint="The file was changed or damaged: install the model again.",
        )

    def _build(self, keep_state: bool = False) -> nn.Module:
        if self.metadata.is_taught:
            raise WrongWeights(
                f"'{self.metadata.name}' was taught by examples, and is no network",
                hint="Run it with classify.",
            )
        if self.metadata.is_graph:
            from .bioimageio.onnx_graph import open_graph

            return open_graph(self.content(), self.metadata)
        from .formats.checkpoints import read_state
        from .formats.fitting import build, first_channels

        state = read_state(self._checked_file()) if self._state is None else self._state
        name = self.metadata.source if self.weights is None else self.metadata.name
        network = build(self.metadata.network, self.metadata.arguments, state, name)
        takes, said = first_channels(network), self.metadata.in_channels
        if takes != said:
            raise WrongWeights(
                f"The network of '{name}' takes {takes} channels, and is said to take {said}",
                hint="Its model.json is wrong: install the model again.",
            )
        if not keep_state:
            self._state = None
        return network


def no_weights(metadata: ModelMetadata) -> NoWeights:
    """Error for a model that is known and has no weights yet; says how to install them."""
    return NoWeights(
        f"{metadata.title} has no weights yet",
        hint=(
            "Install a checkpoint with "
            f"'spheroseg models install FILE --name {metadata.name}', or choose another model."
        ),
    )


def sha256_of(path: Path) -> str:
    """Checksum of a file, as hexadecimal digits.

    Raises
    ------
    UnreadableFile
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be read: {error.strerror or error}", hint="Check its permissions."
        ) from error
