"""Mistakes on the way back, those of chapter 6 and those of options, states and padding."""

from __future__ import annotations

from lstm_lesson.interop.kit.mutation import line

_BACK = "d_ordered, d_h, d_c = backward(case, p, tape, d_half, d_h_n[n], d_c_n[n], lengths, d)"
_DH = "d_h_t = np.where(going, d_h + d_hs[t], 0)"
_DC = 'd_c = d_c + d_m * s.o * slope(case, "hidden", s.a)'
_Z = {k: f'd_z["{k}"] = d_{k} * slope(case, "{"cell" if k == "g" else "gate"}", s.{k}) '
         f'* passes(s.z["{k}"], case.clip)' for k in "ifg"}  # fmt: skip
_Z_O = 'd_z = {"o": d_o * slope(case, "gate", s.o) * passes(s.z["o"], case.clip)}'
_END = "d_x, d_h_prev = through(p, s, d_z, d_z, d, t)"
_INTO_H = "d_h_prev = sum(d_z_h[k] @ p.U[k] for k in d_z_h)"
_INTO_W = "d.W[k] += d_z[k].T @ s.x"
_INTO_U = "d.U[k] += d_z_h[k].T @ s.h_prev"
_B_X, _B_H = "d.b_x[k] += d_z[k].sum(axis=0)", "d.b_h[k] += d_z_h[k].sum(axis=0)"
_GOES_ON = "d_h, d_c = np.where(going, d_h_prev, d_h), np.where(going, d_c_prev, d_c)"
_COUPLED = "d_i, d_f = d_i - d_f, np.zeros_like(d_f)"
_SLOPES = '* slope(case, "gate", s.'

BACKWARD = {
    "backward: sigmoid' of i missing": line("L", _Z["i"], _Z["i"].replace(_SLOPES + "i)", "")),
    "backward: sigmoid' of f missing": line("L", _Z["f"], _Z["f"].replace(_SLOPES + "f)", "")),
    "backward: sigmoid' of o missing": line("L", _Z_O, _Z_O.replace(_SLOPES + "o)", "")),
    "backward: tanh' of g missing": line(
        "L", _Z["g"], _Z["g"].replace('* slope(case, "cell", s.g)', "")
    ),
    "backward: tanh' of c missing": line("L", _DC, "d_c = d_c + d_m * s.o"),
    "backward: o's gradient takes c, not tanh(c)": line("L", "d_o = d_m * s.a", "d_o = d_m * s.c"),
    "backward: f's gradient takes c after the step": line(
        "L", "d_f = d_c * s.c_prev", "d_f = d_c * s.c"
    ),
    "backward: U's gradient takes h after the step": line(
        "LGR", _INTO_U, "d.U[k] += d_z_h[k].T @ s.h"
    ),
    "backward: h's gradient from later steps lost": line(
        "LGR", _DH, "d_h_t = np.where(going, d_hs[t], 0)"
    ),
    "backward: c's gradient from later steps lost": line("L", _DC, _DC.replace("d_c + ", "")),
    "backward: c gets no gradient from h": line("L", _DC, "pass"),
    "backward: W's gradient of the first step only": line(
        "LGR", _INTO_W, "d.W[k] = d_z[k].T @ s.x"
    ),
    "backward: U's gradient of the first step only": line(
        "LGR", _INTO_U, "d.U[k] = d_z_h[k].T @ s.h_prev"
    ),
    "backward: bias's gradient of the first step only": line(
        "LGR", _B_X, _B_X.replace("+=", "="), _B_H, _B_H.replace("+=", "=")
    ),
    "backward: h's gradient comes through the last gate alone": line(
        "LG", _INTO_H, "k = list(p.U)[-1]; d_h_prev = d_z_h.get(k, 0 * d_x[:, :1]) @ p.U[k]"
    ),
    "backward: h's gradient cut between steps": line("LGR", _INTO_H, f"{_INTO_H} * (t == 0)"),
    "backward: c's gradient doesn't pass the forget gate": line(
        "L", "d_c_prev = d_c * s.f", "d_c_prev = d_c"
    ),
    "backward: i and f exchanged": line(
        "L", _END, 'd_z["i"], d_z["f"] = d_z["f"], d_z["i"]; ' + _END
    ),
    "backward: g and o exchanged": line(
        "L", _END, 'd_z["g"], d_z["o"] = d_z["o"], d_z["g"]; ' + _END
    ),
    "backward: U transposed": line(
        "LGR", _INTO_H,
        "d_h_prev = sum(d_z_h[k] @ (p.U[k].T if p.U[k].shape[0] == p.U[k].shape[1] else p.U[k]) "
        "for k in d_z_h)",
    ),
    "backward: bias's gradient twice": line("LGR", _B_X, "d.b_x[k] += 2 * d_z[k].sum(axis=0)",
                                            _B_H, "d.b_h[k] += 2 * d_z_h[k].sum(axis=0)"),
    "backward: bias's gradient averaged over the batch": line(
        "LGR", _B_X, "d.b_x[k] += d_z[k].mean(axis=0)", _B_H, "d.b_h[k] += d_z_h[k].mean(axis=0)"
    ),
    "backward: bias_hh gets no gradient": line("LGR", _B_H, "pass"),
    "backward: weights' gradients averaged over the batch": line(
        "LGR", _INTO_W, "d.W[k] += d_z[k].T @ s.x / len(s.x)",
        _INTO_U, "d.U[k] += d_z_h[k].T @ s.h_prev / len(s.x)",
    ),
    "backward: gradients of final states ignored": line(
        "LGR", _BACK, _BACK.replace("d_h_n[n], d_c_n[n]", "0 * d_h_n[n], 0 * d_c_n[n]")
    ),
    "backward: gradient of the final h ignored": line(
        "LGR", _BACK, _BACK.replace("d_h_n[n]", "0 * d_h_n[n]")
    ),
    "backward: gradient of the final c ignored": line(
        "L", _BACK, _BACK.replace("d_c_n[n]", "0 * d_c_n[n]")
    ),
    "backward: gradients of final h and c exchanged": line(
        "L", _BACK, _BACK.replace("d_h_n[n], d_c_n[n]", "*swapped(d_h_n[n], d_c_n[n])")
    ),
    "backward: gradient of the output taken at the last step only": line(
        "LGR", _DH, "d_h_t = np.where(going, d_h + d_hs[t] * (t == T - 1), 0)"
    ),
    "backward: gradient of the output ignored": line(
        "LGR", _DH, "d_h_t = np.where(going, d_h, 0)"
    ),
    "backward: U's gradient leaves out the first step": line(
        "LGR", _INTO_U, f"{_INTO_U} if t > 0 else 0"
    ),
    "backward: gradient of x in the order it was run": line(
        "LGR", "d_x = d_x + turn(d_ordered, lengths, backwards(case, way))", "d_x = d_x + d_ordered"
    ),
    "backward: gradient of x of one direction lost": line(
        "LGR", "d_x = d_x + turn(d_ordered, lengths, backwards(case, way))",
        "d_x = turn(d_ordered, lengths, backwards(case, way))",
    ),
    "backward: gradient of the output's padding used": line(
        "LGR", _DH, "d_h_t = d_h + d_hs[t]", "d_c_t = np.where(going, d_c, 0)", "d_c_t = d_c",
        _GOES_ON, "d_h, d_c = d_h_prev, d_c_prev",
        "d_half = d_half * inside(d_half, lengths)", "pass",
    ),
    "backward: gradient runs through the padding": line(
        "LGR", _DH, "d_h_t = d_h + d_hs[t]", "d_c_t = np.where(going, d_c, 0)", "d_c_t = d_c",
        _GOES_ON, "d_h, d_c = d_h_prev, d_c_prev",
    ),
    "backward: gradients of initial states zero": line(
        "LGR", "d_h_0[n], d_c_0[n] = d_h, d_c", "pass"
    ),
    "backward: gradients of initial h and c exchanged": line(
        "L", "d_h_0[n], d_c_0[n] = d_h, d_c", "d_h_0[n], d_c_0[n] = swapped(d_h, d_c)"
    ),
    "backward: o's peephole sends no gradient to c": line(
        "L", 'd_c = d_c + d_z["o"] * p.p["o"]', "pass"
    ),
    "backward: peepholes of i and f send no gradient to c": line(
        "L", 'd_c_prev = d_c_prev + d_z["i"] * p.p["i"] + d_z["f"] * p.p["f"]', "pass"
    ),
    "backward: o's peephole gradient takes c before the step": line(
        "L", 'd.p["o"] += (d_z["o"] * s.c).sum(axis=0)',
        'd.p["o"] += (d_z["o"] * s.c_prev).sum(axis=0)'
    ),
    "backward: clipped pre-activations pass gradient": line(
        "L", *(each for k in (*_Z.values(), _Z_O) for each in (k, k.replace("case.clip", "None")))
    ),
    "backward: a clipped cell state passes gradient": line(
        "L", "d_c = d_c * passes(s.sum, case.cell_clip)", "pass"
    ),
    "backward: with coupling, i's gradient lacks the way through f": line(
        "L", _COUPLED, "d_f = np.zeros_like(d_f)"
    ),
    "backward: with coupling, f's rows get a gradient": line("L", _COUPLED, "pass"),
    "backward: projection's gradient not summed": line(
        "L", "d.R += d_h.T @ s.m", "d.R = d_h.T @ s.m"
    ),
    "backward: h's gradient past the update gate lost": line(
        "G", "return d_x, d_h_prev + d_direct, d_c", "return d_x, d_h_prev, d_c"
    ),
    "backward: reset gate left out of U's way": line(
        "G", 'd_x, d_h_prev = through(p, s, d_z, d_z | {"n": d_z["n"] * s.r}, d, t)',
        "d_x, d_h_prev = through(p, s, d_z, d_z, d, t)",
        "d_h_prev = d_h_prev + d_q * s.r", "d_h_prev = d_h_prev + d_q",
    ),
    "backward: reset gate gets no gradient": line(
        "G", 'd_z["r"] = d_r * s.r * (1 - s.r)', 'd_z["r"] = 0 * d_r'
    ),
    "backward: update gate's gradient with the other sign": line(
        "G", "d_z_gate = d_h * (s.h_prev - s.n)", "d_z_gate = d_h * (s.n - s.h_prev)"
    ),
    "backward: tanh' of the state missing": line(
        "R", 'd_z = {"h": d_h * slope(case, "state", s.h)}', 'd_z = {"h": d_h}'
    ),
    "backward: tanh' of n missing": line(
        "G", 'd_z = {"n": d_n * (1 - s.n**2)}', 'd_z = {"n": d_n}'
    ),
}  # fmt: skip
