"""Run notebooks in place and save them in the form in which they are committed.

    python tests/run_chapters.py            every chapter
    python tests/run_chapters.py 03 05      these two
    python tests/run_chapters.py --jobs 2   two at a time

Each runs from top to bottom in a fresh kernel. Only outputs, execution counts and the state of
widgets are replaced: sources, ids, metadata and the order of keys stay as they are, so that a
review sees what changed. A picture named NAME gets the alternative text and the caption that a cell
glued as NAME-alt and NAME-caption. A chapter that raises an error or writes to stderr is not saved.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

CHAPTERS = Path(__file__).parents[1] / "chapters"


class Failed(Exception):
    """A chapter did not run as it should; the message names the cell and says why."""


def run(path: Path, timeout: int = 600) -> list[int]:
    """Run one notebook and save it.

    Parameters
    ----------
    path : of the notebook; its folder is the working directory.
    timeout : seconds that a cell may take.

    Returns
    -------
    The execution counts of the cells whose text differs from what it was, glued values included.
    Pictures are not compared: their bytes depend on the release of matplotlib.

    Raises `Failed`, and leaves the file as it was, if a cell raises, stalls or writes to stderr.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    executed = nbformat.read(path, as_version=4)
    executed.metadata.pop("widgets", None)  # nothing of an earlier run may stay
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    client = NotebookClient(
        executed,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": path.parent}},
    )
    # Whatever the author's shell says: pictures go into the notebook, and Python 3.11's kernel
    # does not warn about the debugger on stderr.
    env = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        with ThreadPoolExecutor(1) as own:  # for this thread may have an event loop already
            own.submit(asyncio.run, client.async_execute(env=env)).result()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        count = sum(cell.get("execution_count") is not None for cell in executed.cells)
        colours = re.compile(r"\x1b\[[\d;]*m")
        raise Failed(f"In [{count}]: {colours.sub('', str(error)).strip()}") from None
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = _in_one_piece(cell.outputs)
    new = json.loads(nbformat.writes(executed))  # text in lines, as it is on disk
    changed = []
    for cell, after in zip(notebook["cells"], new["cells"], strict=True):
        if cell["cell_type"] == "code":
            count, outputs = after["execution_count"], after["outputs"]
            for output in outputs:
                if output.get("name") == "stderr":
                    raise Failed(f"In [{count}] writes to stderr: {''.join(output['text'])}")
            if _text(cell["outputs"]) != _text(outputs):
                changed.append(count)
            cell["execution_count"], cell["outputs"] = count, outputs
    for part, key, value in computed_texts(notebook["cells"]):
        part[key] = value
    notebook["metadata"].pop("widgets", None)
    if "widgets" in new["metadata"]:
        notebook["metadata"]["widgets"] = new["metadata"]["widgets"]
    # Written whole or not at all: a chapter is not lost if this is stopped.
    part = path.with_suffix(".part")
    part.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)
    return changed


def computed_texts(cells: Sequence[dict]) -> list[tuple[dict, str, str]]:
    """Return each text of a picture that was computed: where it belongs, its key, and what it is.

    For a picture named NAME these are its alternative text and its caption, if a cell has glued
    NAME-alt or NAME-caption.
    """
    glued = {}
    for output in (o for cell in cells for o in cell.get("outputs", [])):
        kept = output.get("metadata", {}).get("scrapbook")
        if kept:
            glued[kept["name"]] = "".join(output["data"][f"{kept['mime_prefix']}text/plain"])
    found = []
    for cell in cells:
        texts = cell["metadata"].get("mystnb", {})
        name = texts.get("figure", {}).get("name")
        for part, key in (("image", "alt"), ("figure", "caption")):
            if f"{name}-{key}" in glued:
                value = ast.literal_eval(glued[f"{name}-{key}"])
                found.append((texts.setdefault(part, {}), key, value))
    return found


def _in_one_piece(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join what a reader sees printed in a row, wherever a busy machine or a glued value cut it."""
    joined: list[NotebookNode] = []
    for output in outputs:
        seen = [o for o in joined if "scrapbook" not in o.get("metadata", {})]
        last = seen[-1] if seen else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _text(outputs: Sequence[dict]) -> list:
    """Return what a cell's outputs say, without pictures."""

    def whole(text):
        return "".join(text) if isinstance(text, list) else text

    return [
        {name: whole(v) for name, v in output.get("data", {}).items() if "image/" not in name}
        | {"printed": whole(output.get("text"))}
        for output in outputs
    ]


def chosen(numbers: Sequence[str], folder: Path = CHAPTERS) -> list[Path]:
    """Return the notebooks of the chapters with these numbers, all of them if there are none."""
    found = {path.name.partition("_")[0]: path for path in sorted(folder.glob("*.ipynb"))}
    unknown = [number for number in numbers if number.zfill(2) not in found]
    if unknown:
        raise SystemExit(f"no chapter {', '.join(unknown)}: there are {' '.join(found)}")
    return [found[number.zfill(2)] for number in numbers or found]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="NN", help="numbers; by default all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="at a time, default 1")
    args = parser.parse_args(arguments)

    def timed(path: Path) -> bool:
        start = time.monotonic()
        try:
            changed = run(path)
        except Failed as error:
            print(f"{path.stem}: NOT SAVED, {error}", file=sys.stderr, flush=True)
            return False
        cells = ", ".join(f"In [{n}]" for n in changed)
        said = f"text changed in {cells}" if changed else "text as before"
        print(f"{path.stem}: {time.monotonic() - start:.0f} s, {said}", flush=True)
        return True

    paths = chosen(args.chapters)
    try:
        ran = list(ThreadPoolExecutor(args.jobs).map(timed, paths))
    except KeyboardInterrupt:
        os._exit(130)  # the threads would go on; kernels end when this process does
    return 0 if all(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
