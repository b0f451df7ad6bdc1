"""The command `lstm-lesson kit`: arguments and printing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lstm_lesson.interop.kit import check, diagnosis, report
from lstm_lesson.interop.kit import files as kit_files
from lstm_lesson.interop.kit.files import BESIDE

ABOUT = """\
Check a recurrent layer that you wrote, in any language, forward and backward: write the kit, let
your program read each case and write its results, and check them.

  lstm-lesson kit write kit
  lstm-lesson kit check kit results"""
WRITE = """\
Unpack the kit that comes with this package into a new or empty folder: a JSON file per case, with
the layer's configuration, its inputs, and everything that has to come out. Its README.md describes
all of it, and check.c judges results where there is no Python."""
MAKE = """\
Compute the kit anew and compare it with the one that comes with this package, which it has to equal
up to rounding. With --output, write it to a folder, or as one zip where the name ends in .zip."""
CHECK = """\
Judge RESULTS, a folder with a file per case, against the kit in DIR: its inputs are the kit's own.
ID.json holds {"dtype": "float64" or "float32", "results": {name: numbers}}, nested or flat, and
ID.safetensors the arrays alone. Names are those of "expected" in a case. Output, final states and
all gradients but those of gates (grad_z_...) are needed; whatever else is there is judged, too, and
gates at each step tell best where a port goes wrong. A case whose file you delete isn't asked for.

  lstm-lesson kit check kit results --junit report.xml"""
FORWARD_HELP = "ask for output and final states only"


def add_to(groups, raw: dict) -> None:
    """Add the group of commands to the parser of `lstm-lesson`."""
    group = groups.add_parser("kit", help="conformance kit", description=ABOUT, **raw)
    commands = group.add_subparsers(metavar="COMMAND", required=True)

    def add(run, name, about, text):
        parser = commands.add_parser(name, help=about, description=text, **raw)
        parser.set_defaults(run=run, parser=parser)
        return parser.add_argument

    option = add(_write, "write", "unpack the kit", WRITE)
    option("folder", metavar="DIR", help="a new or empty folder")
    option = add(_make, "make", "compute the kit anew", MAKE)
    option("--output", metavar="DIR|FILE.zip", help="where to write it")
    option = add(_check, "check", "judge the results of a port", CHECK)
    option("folder", metavar="DIR", help="the kit")
    option("results", metavar="RESULTS", help="what the port wrote")
    option("--dtype", choices=check.TOLERANCES, help="default: what each file names, or float64")
    option("--forward", action="store_true", help=FORWARD_HELP)
    option("--junit", metavar="FILE", help="write JUnit XML, too")
    option("--tap", metavar="FILE", help="write TAP, too")


def _write(args) -> int:
    files = kit_files.committed()
    kit_files.write(args.folder, files)
    print(f"{args.folder}: {len(kit_files.ids(files))} cases written", flush=True)
    return 0


def _make(args) -> int:
    made = kit_files.make()
    if args.output and args.output.endswith(".zip"):
        data = kit_files.zipped(made)
        Path(args.output).write_bytes(data)
        Path(args.output).with_suffix(".sha256.txt").write_text(kit_files.checksum(data))
    elif args.output:
        kit_files.write(args.output, made)
    differences = differing(made, kit_files.committed())
    lines = differences or [f"{len(kit_files.ids(made))} cases made, equal up to rounding"]
    print(*lines, sep="\n", flush=True)
    return 1 if differences else 0


def differing(made: dict[str, bytes], kept: dict[str, bytes]) -> list[str]:
    """Return a line for each case, or text, in which two kits differ by more than rounding."""
    lines = [f"{id}: only in one" for id in set(kit_files.ids(made)) ^ set(kit_files.ids(kept))]
    lines += [f"{name}: other text" for name in BESIDE if made[name] != kept.get(name)]
    for id in kit_files.ids(made):
        if id not in kit_files.ids(kept):
            continue
        (about, given, right), (before, was_given, was) = (
            kit_files.arrays_of(files, id) for files in (made, kept)
        )
        same = about == before and given.keys() == was_given.keys() and right.keys() == was.keys()
        if not same or any(not np.array_equal(given[k], was_given[k]) for k in given):
            lines.append(f"{id}: another case")
        elif max(check.relative_error(right[k], was[k]) for k in right) > ROUNDING:
            lines.append(f"{id}: other numbers")
    return lines


ROUNDING = check.TOLERANCES["float64"]


def _check(args) -> int:
    options = {"dtype": args.dtype, "forward": args.forward}
    results, diagnoses = diagnosis.judge(args.folder, args.results, **options)
    print(report.table(results, diagnoses), flush=True)
    for path, write in ((args.junit, report.junit), (args.tap, report.tap)):
        if path:
            Path(path).write_text(write(results, diagnoses), encoding="utf-8")
    verdicts = {result.verdict for result in results}
    return 2 if "UNUSABLE" in verdicts else 1 if "FAIL" in verdicts else 0
