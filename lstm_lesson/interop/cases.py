"""JSON test cases: numbers that an LSTM written in any language can be checked against.

`FORMAT` describes the file. Whatever is in one is compared, or refused with the reason.
"""

from __future__ import annotations

import json
import math
import os
import sys
from reprlib import repr as show  # short, on one line, whatever JSON held
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_number
from lstm_lesson.engine.equations import LSTMState
from lstm_lesson.engine.files import write_whole
from lstm_lesson.engine.plain_lstm import lstm_backward, lstm_forward
from lstm_lesson.interop.case_causes import explain
from lstm_lesson.interop.common import unique

FORMAT = """\
the file: one JSON object in UTF-8, with T steps, B sequences, D inputs, H units
  input_size D, hidden_size H, batch_size B, seq_length T   whole numbers from 1
  input                    [T][B][D]
  initial_h, initial_c     [B][H]     state before the first step
  weight_ih, weight_hh     [4H][D] and [4H][H], gates stacked i, f, g, o as in PyTorch
  bias_ih, bias_hh         [4H]       only ever added
  expected_h, expected_c   [B][H]     state after the last step
  expected_out             [T][B][H]  hidden state after each step
  grad_input ... grad_bias_hh         gradients of a loss, each shaped like its array
  loss                     "sum": sum of expected_out; "squares": half the sum of its
                           squares; "last": sum of expected_h and of expected_c
Arrays are nested as shown, or flat in that order, last index fastest. One expected_ array
is needed at least; grad_ arrays may be left out, and loss with them. Other keys are ignored.
A key given twice, and a number in an array that is not finite, are refused."""

TOLERANCE = 1e-4
MAX_NUMBERS = 1_000_000  # from input to expected_out
MAX_VALUES = 3 * MAX_NUMBERS  # in the file, counted by commas and brackets; about 1 GiB read
MAX_BYTES = 64 * 2**20  # MAX_NUMBERS and their gradients, about 30 characters each
SIZES = ("input_size", "hidden_size", "batch_size", "seq_length")
ARGUMENTS = ("input", "initial_h", "initial_c", "weight_ih", "weight_hh", "bias_ih", "bias_hh")
EXPECTED = ("expected_h", "expected_c", "expected_out")
GRADIENTS = tuple(f"grad_{name}" for name in ARGUMENTS)
LOSSES = ("sum", "squares", "last")


class CaseError(ValueError):
    """Why a file is no usable test case, or why a case can't be made."""


class Result(NamedTuple):
    """What `check` found in one file; print it to read it on one line."""

    file: str
    verdict: str  # PASS, FAIL or UNUSABLE
    tolerance: float
    differences: dict[str, float]  # largest absolute difference of each array compared
    reason: str  # why it is unusable; of a failure, where it starts and the likely cause, if known

    @property
    def largest(self) -> float:
        """The largest difference; nan if one is, or if there is none."""
        return float(np.max([*self.differences.values()] or np.nan))

    def __str__(self) -> str:
        line = f"{self.file if self.file.isprintable() else ascii(self.file)}: {self.verdict}: "
        if not self.differences:
            return line + self.reason
        each = ", ".join(f"{name} {d:.1e}" for name, d in self.differences.items())
        why = f"; {self.reason}" if self.reason else ""
        numbers = f"largest difference {self.largest:.1e}, tolerance {self.tolerance:g}"
        return f"{line}{numbers} ({each}){why}"


def generate(
    input_size=5, hidden_size=8, batch_size=2, seq_length=3, seed=42, gradients=None, weights=None
) -> dict[str, object]:
    """Return a new case, ready for JSON, from `torch.nn.LSTM`.

    Weights and biases are PyTorch's own initial values for the seed; input and initial state are
    normal. All are float32 numbers, which any implementation reads exactly; the module runs in
    float64. With `gradients`, one of `LOSSES`, the gradients of that loss are there too.

    With `weights`, a dict as `case_weights.read` returns it, those are taken instead, with every
    digit, and both sizes are theirs.

    Raises ValueError for a size, a seed or a loss that can't be. Introduced in chapter 9.
    """
    if weights is not None:
        (_, input_size), (_, hidden_size) = weights["weight_ih"].shape, weights["weight_hh"].shape
    case = dict(zip(SIZES, (input_size, hidden_size, batch_size, seq_length), strict=True))
    shapes = _shapes(case)
    _whole("seed", seed, 0, 2**63 - 1)
    import torch

    with torch.random.fork_rng(devices=[]):  # the caller's random state stays as it was
        torch.default_generator.manual_seed(seed)
        lstm = torch.nn.LSTM(input_size, hidden_size, dtype=torch.float32).double()
        if weights is not None:
            lstm.load_state_dict({f"{k}_l0": torch.tensor(a) for k, a in weights.items()})
        drawn = [torch.randn(shapes[n], dtype=torch.float32).double() for n in ARGUMENTS[:3]]
    x, h_0, c_0 = (tensor.requires_grad_() for tensor in drawn)
    out, (h, c) = lstm(x, (h_0[None], c_0[None]))  # (T, B, H) and two (1, B, H)
    arguments = (x, h_0, c_0, *lstm.parameters())
    named = dict(zip(ARGUMENTS + EXPECTED, (*arguments, h[0], c[0], out), strict=True))
    if gradients is not None:
        case["loss"] = check_choice("gradients", gradients, LOSSES)
        losses = {"sum": out.sum(), "squares": (out**2).sum() / 2, "last": h.sum() + c.sum()}
        losses[gradients].backward()
        named |= dict(zip(GRADIENTS, (tensor.grad for tensor in arguments), strict=True))
    return case | {name: tensor.detach().tolist() for name, tensor in named.items()}


def is_stdout(path) -> bool:
    """Whether a path is "-" or another name of the standard output."""
    return os.fspath(path) in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def write(path, case: dict[str, object]) -> None:
    """Write a case to `path`, one key a line, whole or not at all; raise CaseError if it can't.

    To standard output, "-", it is written and no file replaced.
    """
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in case.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if is_stdout(path):
        print(text, end="", flush=True)
        return
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise CaseError(f"{path}: {error.strerror}" if error.strerror else str(error)) from error


def read(path) -> tuple[dict[str, np.ndarray], str | None]:
    """Return the arrays of a file, "-" for standard input, and its loss or None.

    Raises CaseError with key and reason.
    """
    try:
        if os.fspath(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError for a name that no file can have
        raise CaseError(getattr(error, "strerror", None) or str(error)) from error
    if len(data) > MAX_BYTES or sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise CaseError(f"expected at most {MAX_BYTES:,} bytes and {MAX_VALUES:,} values, got more")
    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique, parse_int=_integer)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CaseError(f"not JSON in UTF-8: {error}" if data.strip() else "empty") from error
    except ValueError as error:  # of a name that is given twice
        raise CaseError(str(error)) from error
    except RecursionError:
        raise CaseError("nested too deeply") from None
    if not isinstance(found, dict):
        raise CaseError(f"expected a JSON object, got {show(found)}")
    if missing := [name for name in SIZES + ARGUMENTS if name not in found]:
        raise CaseError(f"{', '.join(missing)}: missing")
    shapes = _shapes(found)
    arrays = {name: _array(name, found[name], shapes[name]) for name in shapes if name in found}
    if not any(name in arrays for name in EXPECTED):
        raise CaseError(f"{', '.join(EXPECTED)}: missing, one is needed at least")
    if not any(name in arrays for name in GRADIENTS):
        return arrays, None
    if found.get("loss") not in LOSSES:
        raise CaseError(f"loss: expected one of {LOSSES}, got {show(found.get('loss'))}")
    return arrays, found["loss"]


def check(path, tolerance: float = TOLERANCE) -> Result:
    """Run our LSTM in float64 on the case in a file and compare; never raise for what is in it.

    An array passes if no entry is off by more than `tolerance`; a difference that is not finite
    fails. Raises TypeError or ValueError for the tolerance only. Introduced in chapter 9.
    """
    path, tolerance = os.fspath(path), check_number("tolerance", tolerance, 0)
    try:
        arrays, loss = read(path)
    except CaseError as error:
        return Result(path, "UNUSABLE", tolerance, {}, str(error))
    with np.errstate(all="ignore"):  # a case of huge numbers ends in inf or nan, and fails
        ours = _run(arrays, loss)
        differences = {n: float(np.abs(ours[n] - arrays[n]).max()) for n in ours if n in arrays}
        if all(difference <= tolerance for difference in differences.values()):
            return Result(path, "PASS", tolerance, differences, "")
        return Result(path, "FAIL", tolerance, differences, explain(arrays, loss, ours))


def _run(arrays: dict[str, np.ndarray], loss: str | None) -> dict[str, np.ndarray]:
    """Return what our LSTM makes of a case, under the keys of what is expected."""
    x, h, c, weight_ih, weight_hh, b_ih, b_hh = (arrays[name] for name in ARGUMENTS)
    out, (h, c), cache = lstm_forward(x, LSTMState(h, c), weight_ih, weight_hh, b_ih + b_hh)
    ours = dict(zip(EXPECTED, (h, c, out), strict=True))
    if loss is not None:
        d_out = {"sum": np.ones_like(out), "squares": out, "last": np.zeros_like(out)}[loss]
        d_last = np.full_like(h, loss == "last")
        grads = lstm_backward(d_out, LSTMState(d_last, d_last), cache)
        weights = (grads.weight_ih, grads.weight_hh, grads.bias, grads.bias)
        ours |= zip(GRADIENTS, (grads.x, *grads.state, *weights), strict=True)
    return ours


def _shapes(sizes: dict[str, object]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array; raise CaseError for a size that can't be or is too large."""
    D, H, B, T = (_whole(name, sizes[name], 1, MAX_NUMBERS) for name in SIZES)
    arguments = ((T, B, D), (B, H), (B, H), (4 * H, D), (4 * H, H), (4 * H,), (4 * H,))
    shapes = (*arguments, (B, H), (B, H), (T, B, H))
    if sum(map(math.prod, shapes)) > MAX_NUMBERS:
        raise CaseError(f"{', '.join(SIZES)}: expected at most {MAX_NUMBERS:,} numbers in arrays")
    return dict(zip(ARGUMENTS + EXPECTED + GRADIENTS, shapes + arguments, strict=True))


def _array(where: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """Return a nested or flat list as an array; raise CaseError that says where it is wrong."""
    flat = isinstance(value, list) and not any(isinstance(row, list) for row in value)
    return _nested(where, value, (math.prod(shape),) if flat else shape).reshape(shape)


def _nested(where: str, value, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(value, list):
        raise CaseError(f"{where}: expected a list of {shape[0]:,}, got {show(value)}")
    if len(value) != shape[0]:
        raise CaseError(f"{where}: expected {shape[0]:,} entries, got {len(value):,}")
    if len(shape) > 1:
        return np.stack([_nested(f"{where}[{k}]", row, shape[1:]) for k, row in enumerate(value)])
    for k, number in enumerate(value):
        if type(number) not in (int, float) or not abs(number) <= sys.float_info.max:
            raise CaseError(f"{where}[{k}]: expected a finite number, got {show(number)}")
    return np.array(value, np.float64)


def _whole(name: str, value, least: int, most: int) -> int:
    if type(value) is int and least <= value <= most:
        return value
    raise CaseError(f"{name}: expected a whole number, {least} to {most:,}, got {show(value)}")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float(digits)  # int() refuses thousands of digits
