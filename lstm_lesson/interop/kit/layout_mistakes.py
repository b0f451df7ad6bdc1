"""Mistakes about the order of things: parameters in memory, states, directions, lengths, layers."""

from __future__ import annotations

from lstm_lesson.interop.kit.mutation import line, order

_READ = "return dict(zip(order, np.split(a[name], len(order)), strict=True))"
_BIASES = (
    'p.b_h = read(case, a, "bias_hh" + suffix)',
    'p.b_x = read(case, a, "bias_ih" + suffix)',
)
_STEP = "tape, h, c = forward(case, p, ordered, h_0[n], c_0[n], lengths)"
_BACK = "d_ordered, d_h, d_c = backward(case, p, tape, d_half, d_h_n[n], d_c_n[n], lengths, d)"
_PRE = 'z = {k: x @ p.W[k].T + h_prev @ p.U[k].T + p.b_x[k] + p.b_h[k] for k in "ifgo"}'
_TURNED = "halves.append(turn(hs, lengths, backwards(case, way)))"
_KEPT = "h, c = np.where(going, s.h, h), np.where(going, s.c, c)"
_OTHER = "way * case.layers + layer"

LAYOUT = {
    "gates read in the order i, o, f, g (ONNX)": order("LSTM", "iofg"),
    "gates read in the order i, f, o, g (CoreML, dlib)": order("LSTM", "ifog"),
    "gates read in the order f, i, g, o (OpenVINO)": order("LSTM", "figo"),
    "gates read in the order i, g, f, o (TensorFlow 1)": order("LSTM", "igfo"),
    "gates read in the order g, i, f, o (Chainer)": order("LSTM", "gifo"),
    "gates read in the order z, r, n (Keras, ONNX)": order("GRU", "zrn"),
    "W read column by column": line(
        "LGR",
        _READ,
        "m = a[name].reshape(a[name].shape[::-1]).T if 'weight_ih' in name else a[name]; "
        "return dict(zip(order, np.split(m, len(order)), strict=True))",
    ),
    "U read column by column": line(
        "LGR",
        _READ,
        "m = a[name].reshape(a[name].shape[::-1]).T if 'weight_hh' in name else a[name]; "
        "return dict(zip(order, np.split(m, len(order)), strict=True))",
    ),
    "U of each gate transposed": line(
        "LGR",
        'p.U = read(case, a, "weight_hh" + suffix)',
        "p.U = {k: u.T if u.shape[0] == u.shape[1] else u "
        'for k, u in read(case, a, "weight_hh" + suffix).items()}',
    ),
    "bias_hh not added": line("LGR", _BIASES[0], "pass"),
    "bias_ih not added": line("LGR", _BIASES[1], "pass"),
    "no bias added": line(
        "LGR",
        _BIASES[0],
        "pass",
        _BIASES[1],
        "pass",
        'p.b_x = read(case, a, "bias" + suffix)',
        "pass",
    ),
    "bias_ih added twice, bias_hh not": line("LGR", _BIASES[0], "p.b_h = p.b_x"),
    "bias_hh added twice, bias_ih not": line(
        "LGR", _BIASES[1], 'p.b_x = read(case, a, "bias_hh" + suffix)'
    ),
    "a single bias added twice": line(
        "LGR",
        'p.b_x = read(case, a, "bias" + suffix)',
        'p.b_x = {k: 2 * b for k, b in read(case, a, "bias" + suffix).items()}',
    ),
    "1 added to the forget gate's bias (TensorFlow 1)": line(
        "L", _PRE, f"{_PRE}; z['f'] = z['f'] + 1"
    ),
    "(B, T, D) reshaped to (T, B, D), not transposed": line(
        "LGR",
        "return x.swapaxes(0, 1) if case.batch_first else x",
        "return x.reshape(x.shape[1], x.shape[0], -1) if case.batch_first else x",
    ),
}

STATES = {
    "initial states ignored": line(
        "LGR", _STEP, _STEP.replace("h_0[n], c_0[n]", "0 * h_0[n], 0 * c_0[n]")
    ),
    "initial c ignored": line("L", _STEP, _STEP.replace("c_0[n]", "0 * c_0[n]")),
    "initial h ignored": line("LGR", _STEP, _STEP.replace("h_0[n]", "0 * h_0[n]")),
    "initial h and c exchanged": line(
        "L", _STEP, _STEP.replace("h_0[n], c_0[n]", "*swapped(h_0[n], c_0[n])")
    ),
    "final h and c exchanged": line("L", "h_n[n], c_n[n] = h, c", "h_n[n], c_n[n] = swapped(h, c)"),
    "all layers and directions start from the first state": line(
        "LGR", _STEP, _STEP.replace("h_0[n], c_0[n]", "h_0[0], c_0[0]")
    ),
    "states ordered by direction, then layer": line(
        "LGR",
        _STEP,
        _STEP.replace("[n]", f"[{_OTHER}]"),
        "h_n[n], c_n[n] = h, c",
        f"h_n[{_OTHER}], c_n[{_OTHER}] = h, c",
        _BACK,
        _BACK.replace("[n]", f"[{_OTHER}]"),
        "d_h_0[n], d_c_0[n] = d_h, d_c",
        f"d_h_0[{_OTHER}], d_c_0[{_OTHER}] = d_h, d_c",
    ),
    "final h read at the last row of the output": line(
        "LGR", _TURNED, f"{_TURNED}; h_n[n] = halves[-1][-1]"
    ),
    "final c taken without bounding it": line(
        "L", _KEPT, _KEPT.replace("s.c", "getattr(s, 'sum', s.c)")
    ),
    "initial state set anew at each step": line(
        "LGR",
        "s = step(case, p, x[t], h, c)",
        "h_1, c_1 = (h, c) if t == 0 else (h_1, c_1); s = step(case, p, x[t], h_1, c_1)",
    ),
}

TIME = {
    "reverse runs forward": line("LGR", "if not backwards:", "if True:"),
    "the second direction runs forward": line(
        "LGR",
        'return case.direction == "reverse" or way == 1',
        'return case.direction == "reverse"',
    ),
    "reverse starts in the padding": line(
        "LGR", "turned[:length, b] = x[:length, b][::-1]", "turned[:, b] = x[:, b][::-1]"
    ),
    "output of reverse left in the order it was run": line("LGR", _TURNED, "halves.append(hs)"),
    "backward half of the output first": line(
        "LGR", "x = np.concatenate(halves, axis=-1)", "x = np.concatenate(halves[::-1], axis=-1)"
    ),
    "halves of the output summed and doubled": line(
        "LGR",
        "x = np.concatenate(halves, axis=-1)",
        "x = np.concatenate([sum(halves)] * len(halves), axis=-1)",
    ),
    "both directions use the forward weights": line(
        "LGR",
        "p = parameters(case, a, case.suffixes[n])",
        "p = parameters(case, a, case.suffixes[n].replace('_reverse', ''))",
    ),
    "lengths ignored": line(
        "LGR", "lengths = np.array(case.lengths or [T] * B)", "lengths = np.array([T] * B)"
    ),
    "state runs on through the padding": line("LGR", _KEPT, "h, c = s.h, s.c"),
    "output in the padding not zero": line("LGR", "hs = hs * inside(hs, lengths)", "pass"),
    "last output repeated in the padding (Keras)": line(
        "LGR",
        "hs = hs * inside(hs, lengths)",
        "last = np.minimum(np.arange(T)[:, None], lengths - 1); "
        "hs = np.take_along_axis(hs, last[..., None], 0)",
    ),
    "one step too few for each sequence": line(
        "LGR",
        "lengths = np.array(case.lengths or [T] * B)",
        "lengths = np.maximum(1, np.array(case.lengths or [T] * B) - 1)",
    ),
    "a sequence of no steps is run for one": line(
        "LGR",
        "lengths = np.array(case.lengths or [T] * B)",
        "lengths = np.maximum(1, np.array(case.lengths or [T] * B))",
    ),
    "the third layer reads the second one's weights": line(
        "LGR",
        "p = parameters(case, a, case.suffixes[n])",
        "p = parameters(case, a, case.suffixes[n if n < 2 * W else n - W])",
    ),
}
