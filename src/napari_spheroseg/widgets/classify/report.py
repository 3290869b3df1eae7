"""How well taught classes are told, as text."""

from __future__ import annotations

import math
from html import escape

from ...classification.check import Check

_FEATURES = 6
_MOST_CLASSES = 12  # of a matrix that can be read


def headline(check: Check) -> str:
    """One line."""
    if math.isnan(check.accuracy):
        return f"{check.reason}."
    return f"Cross-validated accuracy {check.accuracy:.0%}"


def as_html(check: Check) -> str:
    """The confusion matrix, and the features that matter most."""
    parts = []
    if check.confusion is not None:
        if len(check.confusion) <= _MOST_CLASSES:
            parts.append(_matrix(check))
        else:
            parts.append(f"<p>{_worst(check)}</p>")
    if check.importance is not None:
        rows = "".join(
            f"<tr><td>{escape(str(name))}</td><td align='right'>&nbsp;{share:.0%}</td></tr>"
            for name, share in check.importance.head(_FEATURES).items()
        )
        parts.append(f"<p><b>Features that matter most</b></p><table>{rows}</table>")
    return "".join(parts)


def _matrix(check: Check) -> str:
    assert check.confusion is not None
    names = [escape(str(each)) for each in check.confusion.columns]
    head = "".join(f"<td align='center'>&nbsp;<i>{name}</i>&nbsp;</td>" for name in names)
    rows = ""
    for at, (name, counts) in enumerate(zip(names, check.confusion.to_numpy(), strict=True)):
        cells = "".join(
            f"<td align='center'>{f'<b>{n}</b>' if to == at else n or '·'}</td>"
            for to, n in enumerate(counts)
        )
        rows += f"<tr><td>{name}</td>{cells}</tr>"
    title = "<p><b>Examples (rows), told as (columns)</b></p>"
    return f"{title}<table><tr><td></td>{head}</tr>{rows}</table>"


def _worst(check: Check) -> str:
    assert check.confusion is not None
    off = check.confusion.where(~_diagonal(len(check.confusion)), 0).stack()
    worst = off[off > 0].sort_values(ascending=False).head(_FEATURES)
    told = [f"{n} of {escape(str(a))} as {escape(str(b))}" for (a, b), n in worst.items()]
    return "<br>".join(["<b>Told wrongly</b>", *told]) if told else "None was told wrongly."


def _diagonal(count: int) -> object:
    import numpy as np

    return np.eye(count, dtype=bool)
