"""``spheroseg doctor``: examine the installation, and say how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    zip_: Annotated[
        Path | None,
        typer.Option("--zip", help="Write a zip for a bug report, without private names."),
    ] = None,
) -> int:
    """Examine the installation, the machine and the models; exit status 1 where a problem is."""
    from ..doctor import as_text, examine, write_zip

    findings = examine()
    print(as_text(findings))
    problems = sum(each.verdict == "problem" for each in findings)
    print(f"{problems} problem{'' if problems == 1 else 's'} found" if problems else "All is well")
    if zip_ is not None:
        print(f"Attach {write_zip(findings, zip_)} to your report")
    return 1 if problems else 0
