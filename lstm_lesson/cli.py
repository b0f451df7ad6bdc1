"""The command `lstm-lesson`: arguments, printing, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import sys
from errno import ENOSPC

import numpy as np

from lstm_lesson import LSTM, __version__
from lstm_lesson.experiments import command as experiments
from lstm_lesson.interop import case_weights, cases
from lstm_lesson.interop.kit import command as kit

EXIT = {"PASS": 0, "FAIL": 1, "UNUSABLE": 2}  # verdict: exit code
CODES = """\
exit codes: 0 all is well; 1 a check failed; 2 a file, path or option can't be used;
130 interrupted"""
FORMAT = f"{cases.FORMAT}\n\n{CODES}"
CASE = """\
Check an LSTM written in any language against PyTorch's numbers, through a JSON file: read it,
run your LSTM on it and compare. Or write your own results into such a file and `case check` it.

  lstm-lesson case generate --hidden-size 4 --output case.json
  lstm-lesson case check case.json"""
GENERATE = """\
Run torch.nn.LSTM on random numbers; write them, exact float32 numbers, to a JSON file with what
comes out, computed from them in float64. The same seed gives the same file. Needs PyTorch.
With --from, the weights are those of the LSTM in a safetensors file or in a state_dict saved by
PyTorch, and input and hidden size are theirs.

  lstm-lesson case generate --seq-length 20 --seed 7 --gradients sum --output case.json
  lstm-lesson case generate --from model.safetensors --prefix encoder.lstm --output case.json"""
CHECK = f"""\
Run lstm_lesson's LSTM on each file, in float64, and print one line a file: PASS or FAIL with the
largest absolute differences from what is expected, against the tolerance, or UNUSABLE and why.
A failure says where it starts, and names the known mistakes that give the same numbers.
At most {cases.MAX_BYTES:,} bytes, and {cases.MAX_NUMBERS:,} numbers from input to expected_out.

  lstm-lesson case check --tolerance 1e-6 --json results/*.json"""
SELFTEST = """\
Show that lstm_lesson's LSTM does what an LSTM must, and measure it: its output is not zero after
one step, changes along a sequence of one repeated input, and differs between members of a batch."""
DEFAULTS = dict(zip((*cases.SIZES, "seed"), (5, 8, 2, 3, 42), strict=True))
LEAST = 1e-3  # what counts as a difference; rounding is some 1e-8


def main(argv: list[str] | None = None) -> int:
    """Run the command with the arguments given, or the process's own; return its exit code."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file may have any name
    parser = _parser()
    try:
        args = parser.parse_args(argv)
        parser = args.parser
        return args.run(args)
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # who was reading, `head` for one, has had enough
        _flush()
        return 2
    except (ImportError, OSError, ValueError) as error:  # no PyTorch, a full disk, a wrong argument
        _flush()
        what = str(error)
        if isinstance(error, OSError) and error.strerror:
            # Whoever writes a file names it, so that what has no name is what is printed.
            place = error.filename or ("standard output" if error.errno == ENOSPC else None)
            what = f"{place}: {error.strerror}" if place else error.strerror
        parser.error(" ".join(what.split()))


def _flush() -> None:
    """Print what waits, or drop it: at the end of the process it would be tried and fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def _print_message(self, message, file=None):
        """Print at once, so that a help which couldn't be written doesn't look like one."""
        print(message, end="", file=file or sys.stderr, flush=True)

    def error(self, message):
        """Say what is wrong on one line."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> _Parser:
    raw = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    top = _Parser(prog="lstm-lesson", description="Tools of Inside the LSTM.", epilog=CODES, **raw)
    top.add_argument("--version", action="version", version=f"lstm-lesson {__version__}")
    groups = top.add_subparsers(metavar="GROUP", required=True)
    case = groups.add_parser("case", help="JSON cases", description=CASE, epilog=FORMAT, **raw)
    commands = case.add_subparsers(metavar="COMMAND", required=True)

    def add(run, name, about, text, epilog):
        parser = commands.add_parser(name, help=about, description=text, epilog=epilog, **raw)
        parser.add_argument("--json", action="store_true", help="print one JSON document instead")
        parser.set_defaults(run=run, parser=parser)
        return parser.add_argument

    option = add(_generate, "generate", "write a test case", GENERATE, FORMAT)
    for name, default in DEFAULTS.items():
        option(f"--{name.replace('_', '-')}", type=int, help=f"default {default}")
    option("--output", default="pytorch_lstm_test.json", metavar="FILE",
           help="- for standard output; default %(default)s")  # fmt: skip
    option("--force", action="store_true", help="replace the file if it is there")
    option("--gradients", choices=cases.LOSSES, help="write the gradients of this loss, too")
    option("--from", dest="weights", metavar="FILE", help="take the weights of an LSTM of yours")
    option("--prefix", help="what stands before its names in FILE, where there are several")

    option = add(_check, "check", "compare our LSTM with test cases", CHECK, FORMAT)
    option("files", nargs="+", metavar="FILE", help="test cases to check; - for standard input")
    option("--tolerance", type=float, default=cases.TOLERANCE, help="default %(default)s")
    add(_selftest, "selftest", "show that our LSTM works", SELFTEST, CODES)
    kit.add_to(groups, raw)
    experiments.add_to(groups, raw)
    return top


def _generate(args) -> int:
    to_stdout = cases.is_stdout(args.output)
    if not (to_stdout or args.force) and os.path.isfile(args.output):
        raise ValueError(f"{args.output}: already there; --force replaces it")
    chosen, asked = {}, {name: getattr(args, name) for name in DEFAULTS}
    if args.weights is not None:
        chosen["weights"] = weights = case_weights.read(args.weights, args.prefix)
        sizes = weights["weight_ih"].shape[1], weights["weight_hh"].shape[1]
        for name, size in zip(cases.SIZES[:2], sizes, strict=True):
            if asked[name] not in (None, size):
                raise ValueError(f"{name}: {args.weights} has {size}, asked for {asked[name]}")
            asked[name] = size
    elif args.prefix is not None:
        raise ValueError("--prefix: of names in which file? Give --from FILE, too")
    asked = {k: DEFAULTS[k] if value is None else value for k, value in asked.items()}
    asked["gradients"] = args.gradients
    cases.write(args.output, cases.generate(**asked, **chosen))
    if to_stdout:  # where nothing but the case is to be
        return 0
    source = {} if args.weights is None else {"from": args.weights}
    document = json.dumps({"file": args.output, **source, **asked})
    by = f"seed {asked['seed']}" + (f", weights of {args.weights}" if source else "")
    print(document if args.json else f"{args.output}: written, {by}", flush=True)
    return 0


def _check(args) -> int:
    results = [cases.check(file, args.tolerance) for file in args.files]
    rows = [result._asdict() | {"largest_difference": result.largest} for result in results]
    return _report(rows, map(str, results), args.json)


def _selftest(args) -> int:
    x = np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32)  # (T, B, D)
    output, _, _ = LSTM(3, 5).forward(x)
    repeated, _, _ = LSTM(3, 5).forward(np.repeat(x[:1], 6, axis=0))
    a, b = np.triu_indices(4, 1)  # every pair of the batch
    measured = {
        "output after one step": output[0],
        "change along a sequence": np.diff(repeated, axis=0),
        "difference within a batch": output[:, a] - output[:, b],
    }
    rows, lines = [], []
    for what, vectors in measured.items():
        least = float(np.abs(vectors).max(axis=-1).min())
        rows.append({"what": what, "verdict": "PASS" if least > LEAST else "FAIL", "least": least})
        lines.append(f"{what}: {rows[-1]['verdict']}: at least {least:.4f}, above {LEAST} passes")
    return _report(rows, lines, args.json)


def _report(rows: list[dict], lines, as_json: bool) -> int:
    """Print lines, or rows as one JSON document, and return the exit code."""
    code = max(EXIT[row["verdict"]] for row in rows)
    if as_json:  # without nan and infinity, which JSON has not: null instead
        rows = json.loads(json.dumps(rows), parse_constant=lambda _: None)
        lines = [json.dumps({"exit": code, "results": rows}, indent=2)]
    print(*lines, sep="\n", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
