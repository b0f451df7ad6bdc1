"""Mistakes in the equations of a cell, on the way forward."""

from __future__ import annotations

from lstm_lesson.interop.kit.mutation import line

_I, _F = (f's.{k} = act(case, "gate", clipped(z["{k}"], case.clip))' for k in "if")
_O = 's.o = held(case, "o", act(case, "gate", clipped(z["o"], case.clip)))'
_G = 's.g = act(case, "cell", clipped(z["g"], case.clip))'
_A = 's.a = act(case, "hidden", s.c)'
_C = "s.c = clipped(s.sum, case.cell_clip)"
_PEEP_O = 'z["o"] = z["o"] + p.p["o"] * s.c'
_PEEP_I = 'z["i"] = z["i"] + p.p["i"] * c_prev'
_PEEP_F = 'z["f"] = z["f"] + p.p["f"] * c_prev'
_HELD = "return np.ones_like(s) if gate in case.removed else s"
_CLIP = "return z if bound is None else np.clip(z, -bound, bound)"
_ACT = "return ACTIVATIONS[case.activation(where)][0](z)"
_PRE = 'z = {k: x @ p.W[k].T + h_prev @ p.U[k].T + p.b_x[k] + p.b_h[k] for k in "ifgo"}'
_N = 'z["n"] = x @ p.W["n"].T + p.b_x["n"]'

FORWARD = {
    "candidate g squashed by the sigmoid": line("L", _G, _G.replace('"cell"', '"gate"')),
    "candidate g not squashed": line("L", _G, 's.g = clipped(z["g"], case.clip)'),
    "cell state not squashed on its way out": line("L", _A, "s.a = s.c"),
    "output gate not squashed": line("L", _O, 's.o = held(case, "o", clipped(z["o"], case.clip))'),
    "gates squashed by tanh": line(
        "L", *(each for k in (_I, _F, _O) for each in (k, k.replace('"gate"', '"cell"')))
    ),
    "i and f exchanged in c = f * c + i * g": line(
        "L", "s.sum = s.f * c_prev + s.i * s.g", "s.sum = s.i * c_prev + s.f * s.g"
    ),
    "input gate left out of c": line(
        "L", "s.sum = s.f * c_prev + s.i * s.g", "s.sum = s.f * c_prev + s.g"
    ),
    "forget gate left out of c": line(
        "L", "s.sum = s.f * c_prev + s.i * s.g", "s.sum = c_prev + s.i * s.g"
    ),
    "h taken from the cell state before the step": line(
        "L", _A, 's.a = act(case, "hidden", c_prev)'
    ),
    "removed gates computed all the same": line("L", _HELD, "return s"),
    "removed gates at 0, not at 1": line("L", _HELD, _HELD.replace("ones", "zeros")),
    "coupling ignored": line("L", "s.f = 1 - s.i", "pass"),
    "coupled the other way round, i = 1 - f": line("L", "s.f = 1 - s.i", "s.i = 1 - s.f"),
    "peepholes ignored": line("L", _PEEP_I, "pass", _PEEP_F, "pass", _PEEP_O, "pass"),
    "output gate's peephole sees the cell before the step": line(
        "L", _PEEP_O, _PEEP_O.replace("s.c", "c_prev")
    ),
    "output gate's peephole sees the cell before it is bounded": line(
        "L", _PEEP_O, _PEEP_O.replace("s.c", "s.sum")
    ),
    "peepholes read in the order i, o, f (ONNX)": line(
        "L", _PEEP_F, _PEEP_F.replace('p.p["f"]', 'p.p["o"]'),
        _PEEP_O, _PEEP_O.replace('p.p["o"]', 'p.p["f"]'),
    ),
    "peephole reads tanh(c)": line(
        "L", _PEEP_I, _PEEP_I.replace("c_prev", "np.tanh(c_prev)"),
        _PEEP_F, _PEEP_F.replace("c_prev", "np.tanh(c_prev)"),
        _PEEP_O, _PEEP_O.replace("s.c", "np.tanh(s.c)"),
    ),
    "clip ignored": line(
        "L", *(each for k in (_I, _F, _O, _G) for each in (k, k.replace("case.clip", "None")))
    ),
    "clip not applied to the output gate": line("L", _O, _O.replace("case.clip", "None")),
    "clip not applied to the candidate": line("L", _G, _G.replace("case.clip", "None")),
    "clip applied before the peepholes": line(
        "L", _PRE, f"{_PRE}; z = {{k: clipped(v, case.clip) for k, v in z.items()}}",
        *(each for k in (_I, _F, _O, _G) for each in (k, k.replace("case.clip", "None"))),
    ),
    "clip applied to the cell state": line(
        "L", _C, "s.c = clipped(s.sum, case.clip if case.cell_clip is None else case.cell_clip)",
        *(each for k in (_I, _F, _O, _G) for each in (k, k.replace("case.clip", "None"))),
    ),
    "clip applied to the cell state, too (ONNX read literally)": line(
        "L", _C, "s.c = clipped(clipped(s.sum, case.cell_clip), case.clip)"
    ),
    "bounded from above only": line(
        "L", _CLIP, "return z if bound is None else np.minimum(z, bound)"
    ),
    "cell_clip ignored": line("L", _C, "s.c = s.sum"),
    "cell_clip applied to pre-activations": line(
        "L", _C, "s.c = s.sum",
        *(each for k in (_I, _F, _O, _G)
          for each in (k, k.replace("case.clip", "case.cell_clip or case.clip"))),
    ),
    "cell_clip applied on the way out only": line(
        "L", _C, "s.c = s.sum", _A, 's.a = act(case, "hidden", clipped(s.c, case.cell_clip))'
    ),
    "activations ignored": line(
        "LR", _ACT, 'return ACTIVATIONS["sigmoid" if where == "gate" else "tanh"][0](z)'
    ),
    "activation of g used on the way out, too": line("L", _A, 's.a = act(case, "cell", s.c)'),
    "activation of the way out used for g, too": line("L", _G, _G.replace('"cell"', '"hidden"')),
    "hard sigmoid with the other slope": line(
        "L", _ACT,
        "return ACTIVATIONS[{'hard_sigmoid': 'hard_sigmoid_6', 'hard_sigmoid_6': 'hard_sigmoid'}"
        ".get(case.activation(where), case.activation(where))][0](z)",
    ),
    "reset gate after the product for before, or before for after": line(
        "G", "if case.reset_after:", "if not case.reset_after:"
    ),
    "bias_hn added after the reset": line(
        "G", 's.q = h_prev @ p.U["n"].T + p.b_h["n"]', 's.q = h_prev @ p.U["n"].T',
        f"{_N} + s.r * s.q", f'{_N} + s.r * s.q + p.b_h["n"]',
    ),
    "reset gate left out": line("G", 's.r = act(case, "gate", z["r"])', "s.r = 1.0 + 0 * z['r']"),
    "z and 1 - z exchanged (Cho et al. 2014)": line(
        "G", "s.h = (1 - s.z_gate) * s.n + s.z_gate * h_prev",
        "s.h = s.z_gate * s.n + (1 - s.z_gate) * h_prev",
    ),
    "candidate n squashed by the sigmoid": line(
        "G", 's.n = np.tanh(z["n"])', 's.n = act(case, "gate", z["n"])'
    ),
    "recurrent product left out of the candidate": line(
        "G", f"{_N} + s.r * s.q", _N,
        f'{_N} + s.q @ p.U["n"].T + p.b_h["n"]', f'{_N} + p.b_h["n"]',
    ),
    "state not squashed": line("R", 's.h = act(case, "state", s.z["h"])', 's.h = s.z["h"]'),
}  # fmt: skip
