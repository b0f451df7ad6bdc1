"""Measure the engine against PyTorch, print a table, and keep it in ``results/bench.csv``.

    make bench

Every figure is a ratio of medians taken by turns in one run on one thread, for machines are noisy
and differ; nothing here passes or fails. ``--quick`` takes fewer turns and writes nothing.
"""

import argparse
import csv
import json
import os
import platform
import random
import time
import tracemalloc
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before NumPy reads it

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lstm_lesson.engine.matrices import step_product  # noqa: E402

from lstm_lesson import LSTM, LSTMState, interop  # noqa: E402
from lstm_lesson.engine.plain_lstm import lstm_backward, lstm_forward  # noqa: E402

RESULTS = Path(__file__).parents[1] / "results"
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


def in_turn(functions, seconds):
    """Return the median seconds of each function, called by turns until time is up.

    Every round has an order of its own: what ran before leaves the caches as it needed them.
    """
    for function in functions:
        function()
    shuffled = random.Random(0)
    times = {function: [] for function in functions}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[functions[0]]) < 5:
        for function in shuffled.sample(functions, len(functions)):
            start = time.perf_counter()
            function()
            times[function].append(time.perf_counter() - start)
    return [float(np.median(taken)) for taken in times.values()]


def problem(T, B, D, H, **options):
    layer = LSTM(D, H, rng=0, **options)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(T, B, D)).astype(np.float32)
    d_output = rng.normal(size=(T, B, H)).astype(np.float32)
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


def products(T, B, D, H):
    """Return the matrix products of a training step and nothing else: the floor."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    weight, x, h, d_z = draw(4 * H, H + D + 1), draw(T * B, D), draw(T * B, H), draw(4 * H, T * B)
    columns, gates, d_h = draw(T, H + D + 1, B), draw(T, 4 * H, B), draw(T, H, B)
    weight_ih = weight[:, H:-1].copy()
    how = step_product(weight, columns, gates, weight.T.copy().T)
    product, weight, columns, gates_by_product = how
    d_product, weight_hh, gates, d_h = step_product(draw(H, 4 * H), gates, d_h)

    def run():
        for t in range(T):
            product(weight, columns[t], gates_by_product[t])
        for t in range(T):
            d_product(weight_hh, gates[t], d_h[t])
        d_z @ x, d_z @ h, d_z.T @ weight_ih

    return run


def against_torch(seconds):
    for T, B, D, H in SHAPES:
        layer, x, d_output = problem(T, B, D, H)
        step, forward = torch_step(layer, x, d_output)
        functions = [
            train_step(layer, x, d_output),
            step,
            products(T, B, D, H),
            lambda layer=layer, x=x: layer.forward(x, keep=False),
            forward,
        ]
        ours, theirs, floor, ours_forward, theirs_forward = in_turn(functions, seconds)
        yield f"step / torch {T, B, D, H}", ours / theirs, f"torch {theirs * 1e3:.2f} ms"
        yield f"step / products {T, B, D, H}", ours / floor, "products alone are the floor"
        yield f"forward / torch {T, B, D, H}", ours_forward / theirs_forward, ""


def scaling(seconds):
    base = (50, 16, 32, 64)
    layer, x, d_output = problem(*base)
    longer, wider = problem(200, *base[1:]), problem(base[0], 64, *base[2:])
    deep, deep_x, deep_d = problem(50, 16, 64, 64)
    four = LSTM(64, 64, 4, rng=0)
    functions = [
        train_step(layer, x, d_output),
        train_step(*longer),
        train_step(*wider),
        train_step(deep, deep_x, deep_d),
        train_step(four, deep_x, deep_d),
    ]
    one, long, wide, single, stacked = in_turn(functions, seconds)
    yield "four times T", long / one, "linear is 4"
    yield "four times B", wide / one, "linear is 4"
    yield "four layers", stacked / single, "linear is 4"


def replicas(seconds):
    T, B, D, H, S = 100, 20, 2, 20, 10
    rng = np.random.default_rng(0)

    def step(*lead):
        shapes = [(T, *lead, B, D), (*lead, B, H), (*lead, B, H), (T, *lead, B, H)]
        shapes += [(*lead, 4 * H, D), (*lead, 4 * H, H), (*lead, 4 * H)]
        x, h, c, d_output, *weights = (0.1 * rng.normal(size=s).astype(np.float32) for s in shapes)
        state = LSTMState(h, c)

        def run():
            lstm_backward(d_output, state, lstm_forward(x, state, *weights)[2])

        return run

    one, ten = in_turn([step(), step(S)], seconds)
    yield "ten replicas / one", ten / one, f"H={H}, B={B}, T={T}"


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
    one, two = in_turn([everything, little], min(seconds, 10))
    yield "time, checkpoint / not", two / one, f"T={T}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, and write nothing")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    rows = []
    for part in (against_torch, scaling, replicas, memory):
        for name, value, remark in part(0.5 if quick else 4):
            rows.append((name, f"{value:.2f}", remark))
            print(f"{name:<36} {value:8.2f}  {remark}", flush=True)
    for name in ("step / torch", "step / products", "forward / torch"):
        ratios = [float(value) for row, value, _ in rows if row.startswith(name)]
        summary = f"geometric mean, largest {max(ratios):.2f}"
        rows.append((f"{name}, all", f"{np.exp(np.log(ratios).mean()):.2f}", summary))
        print(f"{name + ', all':<36} {rows[-1][1]:>8}  {summary}")
    if not quick:
        RESULTS.mkdir(exist_ok=True)
        with (RESULTS / "bench.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("measure", "value", "remark"), *rows])
        made_with = {
            "numpy": np.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "processor": platform.machine(),
            "command": "make bench",
        }
        (RESULTS / "bench.json").write_text(json.dumps(made_with, indent=1) + "\n")


if __name__ == "__main__":
    main()
