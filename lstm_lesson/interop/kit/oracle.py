"""What belongs to a case: numbers drawn for it, and everything that comes out, in float64.

The engine computes it with its plain loop over arrays. Pre-activations ``z_i``, which no layer
shows, are computed here from the weights and from the states that the loop keeps.
"""

from __future__ import annotations

import zlib

import numpy as np

from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.loop import ArrayLoop, in_order
from lstm_lesson.interop.kit.cases import Case

Arrays = dict[str, np.ndarray]
GATES = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}  # as weights are stacked
STEP = 2.0**-15  # of which every input is a multiple: exact in float32, lossy in float16
GARBAGE = 1000.0


def layer_of(case: Case, dtype=np.float64):
    """Return the layer of this package that a case describes."""
    options = {
        "num_layers": case.layers,
        "bias": case.biases > 0,
        "batch_first": case.batch_first,
        "bidirectional": case.direction == "bidirectional",
        "reverse": case.direction == "reverse",
        "dtype": dtype,
    }
    if case.cell == "GRU":
        return GRU(case.D, case.H, reset_after=case.reset_after, **options)
    if case.cell == "RNN":
        return RNN(case.D, case.H, nonlinearity=case.activation("state"), **options)
    return LSTM(
        case.D,
        case.H,
        proj_size=case.P,
        peephole=case.peephole,
        couple_input_forget=case.coupled,
        remove_gates=case.removed,
        clip=case.clip,
        cell_clip=case.cell_clip,
        **{f"{where}_activation": case.activation(where) for where in ("gate", "cell", "hidden")},
        **options,
    )


def draw(case: Case) -> Arrays:
    """Return what a port is given: x, states, parameters, and the gradients that arrive.

    ``x`` is (T, B, D), ``h_0`` and ``c_0`` (layers * directions, B, H), if they are given;
    parameters have PyTorch's names, and ``d_output``, ``d_h_n`` and ``d_c_n`` the shapes of what
    they are the gradients of. The same case gets the same numbers each time.
    """
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    T, B, H, out = case.T, case.B, case.H, case.P or case.H
    S, rows = len(case.suffixes), len(GATES[case.cell]) * H

    def random(*shape, scale=1.0):
        return np.round(rng.uniform(-1, 1, shape) * scale / STEP) * STEP

    given = {"x": random(T, B, case.D, scale=1.5)}
    sizes = {"h": out, "c": H}
    if case.initial:
        given |= {f"{s}_0": random(S, B, sizes[s]) for s in case.states}
    for n, suffix in enumerate(case.suffixes):
        inputs = case.D if n < len(case.ways) else out * len(case.ways)
        own = {"weight_ih": (rows, inputs), "weight_hh": (rows, out)}
        if case.biases == 2:
            own |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        elif case.biases == 1:
            own["bias"] = (rows,)
            if case.cell == "GRU" and case.reset_after:
                own["bias_hn"] = (H,)
        if case.P:
            own["weight_hr"] = (case.P, H)
        if case.peephole:
            own["peephole"] = (3 * H,)
        for name, shape in own.items():
            given[name + suffix] = random(*shape, scale=min(case.scale, 1.0))
            if case.scale > 1 and name == "bias_ih":
                unit = np.arange(rows) % H
                pushed = np.where(unit % 2 == 0, case.scale * np.sign(rng.normal(size=rows)), 0.0)
                given[name + suffix] += pushed
    given["d_output"] = random(T, B, out * len(case.ways))
    given |= {f"d_{s}_n": random(S, B, sizes[s]) for s in case.states}
    if case.garbage:
        for b, length in enumerate(case.lengths):
            for name in ("x", "d_output"):
                given[name][length:, b] = GARBAGE * (1 + random(*given[name][length:, b].shape))
    if case.batch_first:
        for name in ("x", "d_output"):
            given[name] = np.ascontiguousarray(given[name].swapaxes(0, 1))
    return given


def solve(case: Case, given: Arrays, dtype=np.float64) -> Arrays:
    """Return everything that a right implementation computes from what `draw` gave.

    ``output``, ``h_n`` and ``c_n``; ``grad_`` and a name for the gradient of each input, of the
    loss that is the inner product of output and final states with the gradients that arrive; and,
    for each layer and direction, every pre-activation ``z_i_l0``, gate ``i_l0`` and state ``h_l0``
    at each step, (T, B, H), with the gradients ``grad_z_i_l0``. They are zero in the padding.
    In float32 it is a port to measure tolerances with.
    """
    given = {name: array.astype(dtype) for name, array in given.items()}
    layer = layer_of(case, dtype)
    for suffix in case.suffixes:
        _fill(case, layer.parameters(), given, suffix)
    lengths = None if case.lengths is None else np.array(case.lengths)
    state = _state(layer, case, given, "{}_0") if case.initial else None
    output, last, cache = layer.forward(given["x"], state, lengths, loop=ArrayLoop)
    record = {}
    arriving = _state(layer, case, given, "d_{}_n")
    grads = layer.backward(given["d_output"], cache, arriving, record=record)
    found = {"output": output, **dict(zip(_names(case, "{}_n"), _parts(last), strict=True))}
    found["grad_x"] = grads.x
    if case.initial:
        found |= dict(zip(_names(case, "grad_{}_0"), _parts(grads.state), strict=True))
    for suffix in case.suffixes:
        found |= _split_biases(case, grads.params, given, suffix)
    for n, suffix in enumerate(case.suffixes):
        steps = _steps(case, cache.runs[n], record[n])
        for name, column in steps.items():
            stacked = in_order(np.stack(column), lengths, cache.runs[n].reverse)
            found[name + suffix] = stacked
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def required(case: Case, given: Arrays, forward: bool = False) -> list[str]:
    """Return the names that results must have; the other ones help to find what is wrong."""
    names = ["output", *_names(case, "{}_n")]
    return names if forward else names + [f"grad_{n}" for n in given if not n.startswith("d_")]


def _fill(case, params, given, suffix):
    """Write a case's parameters into those of a layer, which adds up two biases."""
    H = case.H
    for name in ("weight_ih", "weight_hh", "weight_hr", "peephole", "bias", "bias_hn"):
        if name + suffix in given:
            params[name + suffix][...] = given[name + suffix]
    if case.biases == 2:
        by_x, by_h = given["bias_ih" + suffix], given["bias_hh" + suffix]
        params["bias" + suffix][...] = by_x + by_h
        if case.cell == "GRU" and case.reset_after:  # r comes between the candidate's two
            params["bias" + suffix][2 * H :] = by_x[2 * H :]
            params["bias_hn" + suffix][...] = by_h[2 * H :]


def _split_biases(case, grads, given, suffix):
    """Return the gradients of one layer and direction, under the names of the case."""
    names = [name for name in given if name.endswith(suffix)]
    found = {f"grad_{name}": grads[name] for name in names if name in grads}
    if case.biases == 2:
        bias = grads["bias" + suffix]
        found["grad_bias_ih" + suffix] = bias
        if case.cell == "GRU" and case.reset_after:
            bias = np.concatenate([bias[: 2 * case.H], grads["bias_hn" + suffix]])
        found["grad_bias_hh" + suffix] = bias
    return found


def _steps(case, run, record):
    """Return lists over the steps of a run, in the order it was run, (B, H) each."""
    cell, params, weight_x = run.weights
    kept = [step for segment in run.segments for step in segment.kept]
    letters = GATES[case.cell]
    columns = {}
    for (before, after, more), d_after, x in zip(kept, reversed(record), run.x, strict=True):
        z_x = x @ weight_x[:, :-1].T + weight_x[:, -1]
        z_h = before[0] @ params["weight_hh"].T
        values = cell.values(after, more)
        z = _pre_activations(case, z_x, z_h, before, values, params)
        d_z = np.split(cell.backward(d_after, more, params)[0], len(letters), axis=-1)
        hidden = (*case.removed, *("f" if case.coupled else ""))
        shown = [*letters, "c", "h"] if case.cell == "LSTM" else [*dict.fromkeys(letters + "h")]
        step = dict(zip(shown, values, strict=True))
        for k, letter in enumerate(letters):
            if letter not in hidden:  # from the others there is no pre-activation
                step[f"z_{letter}"], step[f"grad_z_{letter}"] = z[k], d_z[k]
        for name, value in step.items():
            columns.setdefault(name, []).append(value)
    return columns


def _pre_activations(case, z_x, z_h, before, values, params):
    if case.cell == "GRU":
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (np.split(z, 3, axis=-1) for z in (z_x, z_h))
        r = values[0]
        if case.reset_after:
            z_n = x_n + r * (h_n + params.get("bias_hn", 0.0))
        else:
            z_n = x_n + (r * before[0]) @ np.split(params["weight_hh"], 3)[2].T
        return [x_r + h_r, x_z + h_z, z_n]
    z = np.split(z_x + z_h, len(GATES[case.cell]), axis=-1)
    if case.peephole:
        p_i, p_f, p_o = np.split(params["peephole"], 3)
        z[0], z[1], z[3] = z[0] + p_i * before[1], z[1] + p_f * before[1], z[3] + p_o * values[4]
    return z


def _names(case, form):
    return [form.format(letter) for letter in case.states]


def _state(layer, case, given, form):
    parts = [given[name] for name in _names(case, form)]
    return layer.STATE(*parts) if case.cell == "LSTM" else parts[0]


def _parts(state):
    return state if isinstance(state, tuple) else (state,)
