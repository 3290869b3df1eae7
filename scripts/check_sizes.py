"""Refuse files over 9 MB: what is larger belongs beside the repository, not in it.

python scripts/check_sizes.py FILE...
"""

from __future__ import annotations

import sys
from pathlib import Path

LIMIT = 9_000_000  # bytes


def main(names: list[str]) -> int:
    """Print the files that are too large; 1 if there are any."""
    sizes = {name: Path(name).stat().st_size for name in names if Path(name).is_file()}
    large = {name: size for name, size in sizes.items() if size > LIMIT}
    for name, size in large.items():
        print(f"{name} has {size / 1e6:.1f} MB; the limit is {LIMIT / 1e6:.0f} MB")
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
