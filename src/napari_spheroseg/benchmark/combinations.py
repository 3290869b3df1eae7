"""Which backends and precisions a machine has, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting, NoDevice, SpherosegError, reason
from ..inference.backends import BACKENDS, PRECISIONS, open_backend
from ..models import Model
from ..registry import unknown_name
from .settings import BenchmarkSettings

_GROUPS = ("auto", "all")


@dataclass(frozen=True, slots=True)
class Combination:
    """A backend in a precision on a device.

    Attributes
    ----------
    backend, precision, device : str
        As the backend tells them; as they were asked for where it is not available.
    reason : str
        Why it is not available; "" where it is.
    """

    backend: str
    precision: str
    device: str
    reason: str = ""


def combinations(settings: BenchmarkSettings, model: Model) -> list[Combination]:
    """All that was asked for, each once, tried with one model.

    Parameters
    ----------
    settings : BenchmarkSettings
    model : Model
        One that has weights.

    Raises
    ------
    UnknownName, BadSetting
        There is no such backend or precision.
    NoDevice, BadSetting
        A backend, a precision or all that was asked for by name is not available at all.
    """
    backends = _backends(settings, model)
    found: dict[tuple[str, str], Combination] = {}
    errors: dict[tuple[str, str], SpherosegError] = {}
    for backend in backends:
        for precision in _precisions(settings):
            each, error = _try(model, backend, precision, settings.device)
            if error:
                errors[backend, each.precision] = error
            found.setdefault((each.backend, each.precision), each)
    _complain(settings, list(found.values()), errors)
    return list(found.values())


def _backends(settings: BenchmarkSettings, model: Model) -> list[str]:
    for name in settings.backends:
        if name not in _GROUPS and name not in BACKENDS:
            raise unknown_name("backend", name, [*_GROUPS, *BACKENDS])
    if "all" in settings.backends:
        return ["torch", *(name for name in BACKENDS if name != "torch")]
    wanted = [name for name in settings.backends if name != "auto"]
    if "auto" in settings.backends:
        wanted += ["torch", open_backend(model, "auto", settings.device).name]
    return list(dict.fromkeys(wanted))


def _precisions(settings: BenchmarkSettings) -> list[str]:
    for name in settings.precisions:
        if name not in PRECISIONS and name != "all":
            raise BadSetting(
                f"There is no precision '{name}'", hint=f"There are: {', '.join(PRECISIONS)}, all."
            )
    if "all" in settings.precisions:
        return [name for name in PRECISIONS if name != "auto"]
    # what auto turns out to be may have a name already: then it is one case, not two
    return sorted(dict.fromkeys(settings.precisions), key=lambda name: name == "auto")


def _try(
    model: Model, backend: str, precision: str, device: str
) -> tuple[Combination, SpherosegError | None]:
    try:
        opened = open_backend(model, backend, device, precision)
    except (NoDevice, BadSetting) as error:
        return Combination(backend, precision, device, reason(error)), error
    return Combination(opened.name, opened.precision, opened.device), None


def _complain(
    settings: BenchmarkSettings,
    found: list[Combination],
    errors: dict[tuple[str, str], SpherosegError],
) -> None:
    """Raise the error of a name that was asked for and that nothing has."""
    asked = [(name, "backend") for name in settings.backends if name not in _GROUPS]
    asked += [(name, "precision") for name in settings.precisions if name not in _GROUPS]
    for name, which in asked:
        having = [each for each in found if getattr(each, which) == name]
        if all(each.reason for each in having):
            raise errors[having[0].backend, having[0].precision]
    if all(each.reason for each in found):
        raise next(iter(errors.values()))
