"""Lay copies of the chapters into a folder for JupyterLab, and lose nothing that a reader changed.

    python chapters/extensions/lab_copies.py _build/html/_sources/chapters _build/lab

A copy that its reader only opened or ran is replaced when its chapter changes. One in which a cell
was written, changed or removed moves aside first: `03_open_the_gates.ipynb` to
`03_open_the_gates.mine.ipynb`, the next time to `03_open_the_gates.mine-2.ipynb`. What was copied
last is remembered in a hidden folder.
"""

import itertools
import json
import shutil
import sys
from pathlib import Path

AS_COPIED = ".as_copied"


def aside(copy: Path) -> Path:
    """Return a name for the reader's own version of a copy, which no file has yet."""
    names = itertools.chain(["mine"], (f"mine-{n}" for n in itertools.count(2)))
    free = (copy.with_name(f"{copy.stem}.{name}{copy.suffix}") for name in names)
    return next(path for path in free if not path.exists())


def read(path: Path) -> list | bytes | None:
    """Return the kind and the text of each cell; None if there is no file."""
    if not path.exists():
        return None
    data = path.read_bytes()
    try:
        cells = json.loads(data)["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, LookupError, TypeError):  # no notebook: any change counts
        return data


def lay(source: Path, folder: Path) -> list[tuple[Path, Path]]:
    """Bring the copies up to date; return each that moved aside, with the path where it is now."""
    moved = []
    (folder / AS_COPIED).mkdir(parents=True, exist_ok=True)
    for chapter in sorted(source.glob("*.ipynb")):
        copy, before = folder / chapter.name, folder / AS_COPIED / chapter.name
        changed = not before.exists() or before.read_bytes() != chapter.read_bytes()
        if changed and read(copy) not in (None, read(before), read(chapter)):
            moved.append((copy, aside(copy)))
            copy.rename(moved[-1][1])
        if changed or not copy.exists():
            shutil.copyfile(chapter, copy)
            shutil.copyfile(chapter, before)
    return moved


def main(source: Path, folder: Path) -> None:
    for copy, now in lay(source, folder):
        print(f"{copy.name} is new; what you made of the old one is {now}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
