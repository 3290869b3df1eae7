"""Weights from TorchScript archives, of which no code is ever run.

``torch.jit.load`` compiles the archive's code and calls what it finds in ``__setstate__``: a
file from elsewhere could do what it likes. So its pickle is read here as mere data: no opcode
calls or imports anything, objects become plain dictionaries, and tensors are cut from the
stored numbers.
"""

from __future__ import annotations

import io
import math
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import UnreadableFile, WrongWeights

_MOST_VALUES = 100_000
"""Attributes of all modules; hostile archives nest a few so that there are billions."""
_LONGEST_NAME = 1000
_TYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_MARK = object()


@dataclass(eq=False)
class _Made:
    """What the pickle would have called, with what; and the state it would have set."""

    name: str
    arguments: Any = ()
    state: dict[Any, Any] = field(default_factory=dict)


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether this zip was written by ``torch.jit.save``."""
    return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers of a TorchScript archive, by the names of its modules.

    Parameters
    ----------
    path : Path
        As ``torch.jit.save`` writes it, scripted or traced.

    Returns
    -------
    dict of str to Tensor
        As the module's state_dict.

    Raises
    ------
    WrongWeights
        Its weights have no names: it was frozen.
    UnreadableFile
        It is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            folder = next(n for n in archive.namelist() if n.endswith("/data.pkl"))[:-8]
            top = _unpickle(archive.read(f"{folder}data.pkl"))
            state = {name: _tensor(archive, folder, value) for name, value in _tensors(top)}
    except Exception as error:  # a damaged archive may make anything stumble
        raise UnreadableFile(
            f"{path.name} is a TorchScript archive that cannot be read "
            f"({type(error).__name__}: {str(error)[:100]})",
            hint="Ask for the state_dict of the network that it was made from.",
        ) from error
    if not state:
        raise WrongWeights(
            f"{path.name} is a frozen TorchScript archive: its weights have lost their names",
            hint="Ask for the archive before freezing, or for the network's state_dict.",
        )
    return state


def _unpickle(content: bytes) -> Any:
    """What a pickle builds, with nothing imported and nothing called."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    operations: Any = pickletools.genops(io.BytesIO(content))
    for opcode, argument, _ in operations:
        name = opcode.name
        if name == "STOP":
            return stack[-1]
        if name in ("PROTO", "FRAME"):
            continue
        if name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _ACTIONS:
            _ACTIONS[name](stack)
        elif name == "GLOBAL":
            stack.append(_Made(argument))
        elif argument is not None:  # numbers and texts
            stack.append(argument)
        else:
            raise ValueError(f"unexpected {name}")
    raise ValueError("no end")


def _since_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _append_items(stack: list[Any]) -> None:
    items = _since_mark(stack)
    stack[-1].extend(items)


def _drop(stack: list[Any]) -> None:
    stack.pop()


def _set_items(stack: list[Any]) -> None:
    items = _since_mark(stack)
    stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _set_item(stack: list[Any]) -> None:
    value, key = stack.pop(), stack.pop()
    stack[-1][key] = value


def _call(stack: list[Any]) -> None:
    arguments, called = stack.pop(), stack.pop()
    stack.append(_Made(called.name, arguments))


def _build(stack: list[Any]) -> None:
    state = stack.pop()
    stack[-1].state.update(state)


def _tuple(length: int) -> Callable[[list[Any]], None]:
    def act(stack: list[Any]) -> None:
        items = tuple(stack[-length:])
        del stack[-length:]
        stack.append(items)

    return act


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_ACTIONS: dict[str, Callable[[list[Any]], None]] = {
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "APPEND": lambda stack: stack[-2].append(stack.pop()),
    "APPENDS": _append_items,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _build,
    "BINPERSID": lambda stack: stack.append(_Made("storage", stack.pop())),
    "POP": _drop,
}


def _tensors(top: _Made) -> Iterator[tuple[str, _Made]]:
    """Names and descriptions of all tensors below a module."""
    waiting, seen = [("", top)], 0
    while waiting:
        prefix, module = waiting.pop()
        for name, value in module.state.items():
            seen += 1
            if seen > _MOST_VALUES or len(prefix) > _LONGEST_NAME:
                raise ValueError("it nests more modules than any network has")
            if not isinstance(value, _Made):
                continue
            if value.name == "torch._utils _rebuild_parameter":
                value = value.arguments[0]
            if value.name == "torch._utils _rebuild_tensor_v2":
                yield f"{prefix}{name}", value
            else:
                waiting.append((f"{prefix}{name}.", value))


def _tensor(archive: zipfile.ZipFile, folder: str, made: _Made) -> Tensor:
    storage, offset, size, stride = made.arguments[:4]
    _, kind, key, *_ = storage.arguments
    content = archive.read(f"{folder}data/{key}")
    numbers = torch.frombuffer(bytearray(content), dtype=_TYPES[kind.name.split()[-1]])
    if math.prod(size) > numbers.numel() or min((0, offset, *size, *stride)) < 0:
        raise ValueError(f"a tensor of shape {size} in {numbers.numel()} numbers")
    return numbers.as_strided(size, stride, offset).contiguous()
