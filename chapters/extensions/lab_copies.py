"""Lay copies of the chapters into a folder for JupyterLab, and lose nothing that a reader changed.

    python chapters/extensions/lab_copies.py _build/html/_sources/chapters _build/lab

A copy that its reader left as it was is replaced when its chapter changes. One that was changed, or
only run, moves aside first: `03_open_the_gates.ipynb` to `03_open_the_gates.mine.ipynb`, the next
time to `03_open_the_gates.mine-2.ipynb`. What was copied last is remembered in a hidden folder.
"""

import itertools
import shutil
import sys
from pathlib import Path

AS_COPIED = ".as_copied"


def aside(copy: Path) -> Path:
    """Return a name for the reader's own version of a copy, which no file has yet."""
    names = itertools.chain(["mine"], (f"mine-{n}" for n in itertools.count(2)))
    free = (copy.with_name(f"{copy.stem}.{name}{copy.suffix}") for name in names)
    return next(path for path in free if not path.exists())


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def lay(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Bring the copies up to date; return each that moved aside, with the path where it is now."""
    moved = []
    (folder / AS_COPIED).mkdir(parents=True, exist_ok=True)
    for chapter in sorted(source.glob("*.ipynb")):
        copy, before = folder / chapter.name, folder / AS_COPIED / chapter.name
        new, old, found = map(read, (chapter, before, copy))
        if new != old and found not in (None, old, new):
            moved.append((copy, aside(copy)))
            copy.rename(moved[-1][1])
        if new != old or found is None:
            shutil.copyfile(chapter, copy)
            shutil.copyfile(chapter, before)
    return moved


def main(source: Path, folder: Path) -> None:
    for copy, now in lay(source, folder):
        print(f"{copy.name} is new; what you made of the old one is {now}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
