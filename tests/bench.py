"""Measure the engine against PyTorch, print a table, and keep it in ``results/bench.csv``.

    make bench

Every figure there is a ratio of medians taken by turns in one run on one thread, for machines are
noisy and differ; nothing here passes or fails. What chapter 22 measures of its own, such as the
rungs of its ladder, goes into ``results/ladder.csv``. ``--quick`` takes fewer turns and writes
nothing; ``ladder`` alone measures the chapter alone.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import tracemalloc
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy reads it
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # in this process, whose time is counted
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # as if for the first time

import numpy as np  # noqa: E402
import torch  # noqa: E402

from lstm_lesson import GRU, LSTM, RNN, Linear, interop  # noqa: E402
from lstm_lesson.engine.loop import ArrayLoop  # noqa: E402
from lstm_lesson.experiments.store import here  # noqa: E402
from lstm_lesson.inspect.timing import in_turn  # noqa: E402
from lstm_lesson.training import Adam, SequenceModel, clip_by_norm, mean_squared_error  # noqa: E402
from lstm_lesson.training.models import Batch  # noqa: E402

ROOT = Path(__file__).parents[1]
RESULTS, CHAPTER = ROOT / "results", ROOT / "chapters" / "22_make_it_fast.ipynb"
SHAPES = [  # (T, B, D, H)
    (3, 2, 4, 6),
    (20, 8, 64, 128),
    (100, 4, 10, 20),
    (50, 16, 20, 100),
    (100, 32, 64, 128),
    (50, 64, 128, 256),
    (35, 20, 650, 650),
    (500, 20, 2, 64),
]


def problem(T, B, D, H, kind=LSTM, dtype=np.float32):
    layer = kind(D, H, rng=0, dtype=dtype)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(T, B, D)).astype(dtype)
    d_output = rng.normal(size=(T, B, H)).astype(dtype)
    return layer, x, d_output


def train_step(layer, x, d_output, **options):
    def step():
        _, _, cache = layer.forward(x, **options)
        layer.backward(d_output, cache)

    return step


def torch_step(layer, x, d_output):
    module = interop.to_torch(layer)
    x, d_output = torch.tensor(x, requires_grad=True), torch.tensor(d_output)

    def step():
        module.zero_grad(set_to_none=True)
        x.grad = None
        module(x)[0].backward(d_output)

    def forward():
        with torch.no_grad():
            module(x)

    return step, forward


def against_torch(seconds):
    """Yield a training step and a forward pass of each layer, type and size over PyTorch's."""
    for kind, dtype in [(LSTM, np.float32), (LSTM, np.float64), (GRU, np.float32),
                        (GRU, np.float64), (RNN, np.float32), (RNN, np.float64)]:  # fmt: skip
        steps, forwards, plain = [], [], []
        name = f"{kind.__name__} {np.dtype(dtype).name}"
        for shape in SHAPES:
            layer, x, d_output = problem(*shape, kind, dtype)
            step, forward = torch_step(layer, x, d_output)
            functions = {
                "ours": train_step(layer, x, d_output),
                "theirs": step,
                "our forward": lambda layer=layer, x=x: layer.forward(x, keep=False),
                "their forward": forward,
                "arrays": train_step(layer, x, d_output, loop=ArrayLoop),
            }
            taken = in_turn(functions, seconds)
            theirs = taken["theirs"]
            steps.append(taken["ours"] / theirs)
            forwards.append(taken["our forward"] / taken["their forward"])
            plain.append(taken["arrays"] / theirs)
            yield f"{name} step / torch {shape}", steps[-1], f"torch {theirs * 1e3:.2f} ms"
            yield f"{name} forward / torch {shape}", forwards[-1], ""
        for what, ratios in (("step", steps), ("forward", forwards), ("array loop step", plain)):
            mean = float(np.exp(np.log(ratios).mean()))
            yield f"{name} {what} / torch, all", mean, f"geometric mean, largest {max(ratios):.2f}"


def run_of_the_book(seconds):
    """Yield a training step of a small network, with its head and its optimiser."""
    for T in (20, 50, 100, 200):
        rng = np.random.default_rng(0)
        layer, head = LSTM(2, 20, dtype=np.float64), Linear(20, 1, dtype=np.float64)
        model = SequenceModel(layer, head, mean_squared_error, "last")
        batch, adam = Batch(rng.normal(size=(T, 20, 2)), rng.normal(size=(20, 1))), Adam(1e-3)

        def step(model=model, batch=batch, adam=adam):
            _, grads = model.loss_and_grads(batch)
            adam.step(model.parameters(), clip_by_norm(grads, 1.0)[0])

        taken = in_turn({"step": step}, seconds)["step"]
        yield f"training step of the book, T={T}, ms", taken * 1e3, "H=20, B=20, float64, Adam"


def scaling(seconds):
    base = (50, 16, 32, 64)
    layer, x, d_output = problem(*base)
    longer, wider = problem(200, *base[1:]), problem(base[0], 64, *base[2:])
    deep, deep_x, deep_d = problem(50, 16, 64, 64)
    four = LSTM(64, 64, 4, rng=0)
    functions = {
        "one": train_step(layer, x, d_output),
        "long": train_step(*longer),
        "wide": train_step(*wider),
        "single": train_step(deep, deep_x, deep_d),
        "stacked": train_step(four, deep_x, deep_d),
    }
    one, long, wide, single, stacked = in_turn(functions, seconds).values()
    yield "four times T", long / one, "linear is 4"
    yield "four times B", wide / one, "linear is 4"
    yield "four layers", stacked / single, "linear is 4"


def memory(seconds):
    T, H = 100_000, 64
    layer, x, d_output = problem(T, 1, 1, H)
    for checkpoint in (False, True):
        layer.forward(x[:1000])
        tracemalloc.start()
        output, _, cache = layer.forward(x, checkpoint=checkpoint)
        kept = tracemalloc.get_traced_memory()[0] - output.nbytes
        tracemalloc.stop()
        del cache
        name = "kept, checkpoint" if checkpoint else "kept"
        yield f"{name}, MB", kept / 1e6, f"T={T}, B=1, H={H}"
        yield f"{name}, bytes a cell-step", kept / (T * H), "five float32, 20 bytes, is the least"
    everything = train_step(layer, x, d_output)
    little = train_step(layer, x, d_output, checkpoint=True)
    one, two = in_turn({"all": everything, "little": little}, min(seconds, 10)).values()
    yield "time, checkpoint / not", two / one, f"T={T}"


def chapter_22(seconds):
    """Yield what chapter 22 measures, by the code that stands there: its cells tagged ``bench``."""
    names = {}
    for cell in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]:
        if "bench" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    for name, value in names["live"].items():
        yield name, value, ""
    yield from compiled_by_torch(names, seconds)


def compiled_by_torch(names, seconds):
    """Yield how long `torch.compile` takes for the loop over cells, and how fast it is then."""
    if shutil.which("g++") is None:  # which it calls
        return
    T, B, D, H = size = names["SMALL"]
    cell, x = torch.nn.LSTMCell(D, H), torch.zeros(T, B, D)
    with torch.no_grad():
        before = os.times()
        compiled = torch.compile(names["by_cell"])
        compiled(cell, x)
        spent = sum(os.times()[:4]) - sum(before[:4])  # the compiler's own included
        yield "torch.compile, first call, s", spent, f"{size}, of the processor"
        given = names["problem"](size, np.float32)
        calls = {
            "torch.compile": lambda: compiled(cell, x),
            "package": lambda: names["package"](*given),
        }
        taken = in_turn(calls, seconds)
    yield "torch.compile / package", taken["torch.compile"] / taken["package"], f"forward, {size}"


FILES = {
    "bench": (against_torch, run_of_the_book, scaling, memory),
    "ladder": (chapter_22,),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, and write nothing")
    parser.add_argument("files", nargs="*", help="bench and ladder, by default both")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.files or FILES:
        rows = []
        for part in FILES[name]:
            for measure, value, remark in part(0.5 if arguments.quick else 2):
                rows.append(
                    (measure, f"{value:.4g}" if name == "ladder" else f"{value:.2f}", remark)
                )
                print("{:<46} {:>8}  {}".format(*rows[-1]), flush=True)
        if not arguments.quick:
            keep(name, rows)


def keep(name, rows):
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("measure", "value", "remark"), *rows])
    made_with = {
        "numpy": np.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": here(0).processor,
        "command": "make bench",
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(made_with, indent=1) + "\n")


if __name__ == "__main__":
    main()
