// LSTM, GRU and RNN in JavaScript, forward and backward, with every option of the conformance kit.
//
//   node ports/js/lstm.js kit/cases results    reads each kit/cases/ID.json, writes results/ID.json
//
// One sequence at a time, a gate at a time. Arrays are flat, the last index fastest.
"use strict";
const fs = require("fs");
const path = require("path");

const ACTIVATIONS = {
  // The function, and its derivative by what it returned.
  sigmoid: [(z) => 1 / (1 + Math.exp(-z)), (s) => s * (1 - s)],
  tanh: [Math.tanh, (s) => (1 - s) * (1 + s)],
  relu: [(z) => Math.max(z, 0), (s) => (s > 0 ? 1 : 0)],
  softsign: [(z) => z / (1 + Math.abs(z)), (s) => (1 - Math.abs(s)) ** 2],
  hard_sigmoid: [(z) => Math.min(1, Math.max(0, 0.2 * z + 0.5)), (s) => (s > 0 && s < 1 ? 0.2 : 0)],
  hard_sigmoid_6: [(z) => Math.min(1, Math.max(0, z / 6 + 0.5)), (s) => (s > 0 && s < 1 ? 1 / 6 : 0)],
  identity: [(z) => z, () => 1],
};
const GATES = { LSTM: ["i", "f", "g", "o"], GRU: ["r", "z", "n"], RNN: ["h"] };

const zeros = (n) => new Float64Array(n);
const clip = (z, bound) => (bound === null ? z : Math.min(bound, Math.max(-bound, z)));
const passes = (z, bound) => (bound === null || Math.abs(z) <= bound ? 1 : 0);
const add = (to, from) => from.forEach((v, k) => (to[k] += v));

// m v, of a matrix with rows as long as v; and its transpose times a vector; and d_m += d v^T.
function times(m, v) {
  const n = v.length, out = zeros(m.length / n);
  for (let r = 0; r < out.length; r++) for (let k = 0; k < n; k++) out[r] += m[r * n + k] * v[k];
  return out;
}
function back(m, d) {
  const n = m.length / d.length, out = zeros(n);
  for (let r = 0; r < d.length; r++) for (let k = 0; k < n; k++) out[k] += m[r * n + k] * d[r];
  return out;
}
function outer(dM, d, v) {
  for (let r = 0; r < d.length; r++)
    for (let k = 0; k < v.length; k++) dM[r * v.length + k] += d[r] * v[k];
}

// Parameters of one layer and direction, by gate, and zeros of the same shape for their gradients.
function parameters(cs, a, suffix) {
  const gates = GATES[cs.cell], p = { W: {}, U: {}, x: {}, h: {} }, d = { W: {}, U: {}, x: {}, h: {} };
  const two = "bias_ih" + suffix in a;
  const block = (name, k) => {
    const m = a[name + suffix], n = m ? m.length / gates.length : 0;
    return m ? m.subarray(k * n, (k + 1) * n) : zeros(cs.H);
  };
  gates.forEach((gate, k) => {
    p.W[gate] = block("weight_ih", k);
    p.U[gate] = block("weight_hh", k);
    p.x[gate] = block(two ? "bias_ih" : "bias", k);
    p.h[gate] = block("bias_hh", k);
    if (gate === "n" && "bias_hn" + suffix in a) p.h.n = a["bias_hn" + suffix];
    for (const part in d) d[part][gate] = zeros(p[part][gate].length);
  });
  p.R = a["weight_hr" + suffix];
  p.p = a["peephole" + suffix];
  d.R = p.R && zeros(p.R.length);
  d.p = p.p && zeros(p.p.length);
  return [p, d];
}

function preActivation(p, gate, x, h) {
  const z = times(p.W[gate], x);
  for (const part of [times(p.U[gate], h), p.x[gate], p.h[gate]]) add(z, part);
  return z;
}

function step(cs, p, x, h, c) {
  const s = { x, hPrev: h, cPrev: c, z: {}, c }, H = cs.H, act = cs.act;
  if (cs.cell === "RNN") {
    s.h = preActivation(p, "h", x, h).map(act.state[0]);
  } else if (cs.cell === "GRU") {
    s.r = preActivation(p, "r", x, h).map(act.gate[0]);
    s.u = preActivation(p, "z", x, h).map(act.gate[0]);
    const z = times(p.W.n, x);
    add(z, p.x.n);
    if (cs.reset_after) {
      s.q = times(p.U.n, h);
      add(s.q, p.h.n);
      add(z, s.q.map((q, k) => q * s.r[k]));
    } else {
      s.q = h.map((v, k) => v * s.r[k]);
      add(z, times(p.U.n, s.q));
      add(z, p.h.n);
    }
    s.n = z.map(Math.tanh);
    s.h = s.n.map((n, k) => (1 - s.u[k]) * n + s.u[k] * h[k]);
  } else {
    for (const gate of "ifgo") s.z[gate] = preActivation(p, gate, x, h);
    for (const name of ["i", "f", "g", "o", "c", "sum", "a", "m"]) s[name] = zeros(H);
    for (let k = 0; k < H; k++) {
      if (p.p) s.z.i[k] += p.p[k] * c[k];
      if (p.p) s.z.f[k] += p.p[H + k] * c[k];
      s.i[k] = act.gate[0](clip(s.z.i[k], cs.clip));
      s.f[k] = cs.coupled ? 1 - s.i[k] : act.gate[0](clip(s.z.f[k], cs.clip));
      if (cs.removed.includes("i")) s.i[k] = 1;
      if (cs.removed.includes("f")) s.f[k] = 1;
      s.g[k] = act.cell[0](clip(s.z.g[k], cs.clip));
      s.sum[k] = s.f[k] * c[k] + s.i[k] * s.g[k];
      s.c[k] = clip(s.sum[k], cs.cell_clip);
      if (p.p) s.z.o[k] += p.p[2 * H + k] * s.c[k];
      s.o[k] = act.gate[0](clip(s.z.o[k], cs.clip));
      if (cs.removed.includes("o")) s.o[k] = 1;
      s.a[k] = act.hidden[0](s.c[k]);
      s.m[k] = s.o[k] * s.a[k];
    }
    s.h = p.R ? times(p.R, s.m) : s.m;
  }
  return s;
}

// From the gradients of the state after a step, those of its input and of the state before.
function stepBack(cs, p, d, s, dH, dC) {
  const H = cs.H, act = cs.act, dZ = {}, dX = zeros(s.x.length), dPrev = zeros(s.hPrev.length);
  for (const gate of GATES[cs.cell]) dZ[gate] = zeros(H);
  let dU = dZ, dCPrev = dC;
  if (cs.cell === "RNN") {
    for (let k = 0; k < H; k++) dZ.h[k] = dH[k] * act.state[1](s.h[k]);
  } else if (cs.cell === "GRU") {
    for (let k = 0; k < H; k++) {
      dZ.n[k] = dH[k] * (1 - s.u[k]) * (1 - s.n[k] ** 2);
      dZ.z[k] = dH[k] * (s.hPrev[k] - s.n[k]) * s.u[k] * (1 - s.u[k]);
      dPrev[k] += dH[k] * s.u[k];
    }
    const dQ = cs.reset_after ? dZ.n : back(p.U.n, dZ.n), by = cs.reset_after ? s.q : s.hPrev;
    for (let k = 0; k < H; k++) dZ.r[k] = dQ[k] * by[k] * s.r[k] * (1 - s.r[k]);
    dU = { r: dZ.r, z: dZ.z };
    if (cs.reset_after) {
      dU.n = dZ.n.map((v, k) => v * s.r[k]);
    } else {
      add(dPrev, dQ.map((v, k) => v * s.r[k]));
      outer(d.U.n, dZ.n, s.q);
      add(d.h.n, dZ.n);
    }
  } else {
    const dM = p.R ? back(p.R, dH) : dH;
    if (p.R) outer(d.R, dH, s.m);
    dCPrev = zeros(H);
    for (let k = 0; k < H; k++) {
      const through = (gate, v, slope) =>
        cs.removed.includes(gate) ? 0 : v * slope(s[gate][k]) * passes(s.z[gate][k], cs.clip);
      dZ.o[k] = through("o", dM[k] * s.a[k], act.gate[1]);
      let dCell = dC[k] + dM[k] * s.o[k] * act.hidden[1](s.a[k]);
      if (p.p) dCell += dZ.o[k] * p.p[2 * H + k];
      dCell *= passes(s.sum[k], cs.cell_clip);
      const dF = dCell * s.cPrev[k];
      dZ.i[k] = through("i", dCell * s.g[k] - (cs.coupled ? dF : 0), act.gate[1]);
      dZ.f[k] = cs.coupled ? 0 : through("f", dF, act.gate[1]);
      dZ.g[k] = through("g", dCell * s.i[k], act.cell[1]);
      dCPrev[k] = dCell * s.f[k];
      if (p.p) {
        dCPrev[k] += dZ.i[k] * p.p[k] + dZ.f[k] * p.p[H + k];
        d.p[k] += dZ.i[k] * s.cPrev[k];
        d.p[H + k] += dZ.f[k] * s.cPrev[k];
        d.p[2 * H + k] += dZ.o[k] * s.c[k];
      }
    }
  }
  for (const gate in dZ) {
    outer(d.W[gate], dZ[gate], s.x);
    add(d.x[gate], dZ[gate]);
    add(dX, back(p.W[gate], dZ[gate]));
  }
  for (const gate in dU) {
    outer(d.U[gate], dU[gate], s.hPrev);
    add(d.h[gate], dU[gate]);
    add(dPrev, back(p.U[gate], dU[gate]));
  }
  return [dX, dPrev, dCPrev];
}

function solve(cs, a) {
  const { T, B, D, H } = cs, R = cs.P || H, ways = cs.direction === "bidirectional" ? 2 : 1;
  const S = cs.layers * ways, wide = R * ways, found = { output: zeros(T * B * wide) };
  const at = (b, t, n) => (cs.batch_first ? b * T + t : t * B + b) * n;
  const suffix = (n) => `_l${Math.floor(n / ways)}${n % ways ? "_reverse" : ""}`;
  const sizes = cs.cell === "LSTM" ? { h: R, c: H } : { h: R };
  const row = (m, n, b, size) => (m ? m.slice((n * B + b) * size, (n * B + b + 1) * size) : zeros(size));
  const runs = [];
  for (let n = 0; n < S; n++) runs.push(parameters(cs, a, suffix(n)));
  for (const s in sizes) found[s + "_n"] = zeros(S * B * sizes[s]);
  for (const s in sizes) found[`grad_${s}_0`] = zeros(S * B * sizes[s]);
  found.grad_x = zeros(T * B * D);
  for (let b = 0; b < B; b++) {
    const steps = cs.lengths ? cs.lengths[b] : T, tapes = [];
    const order = (n) => {
      const ts = [...Array(steps).keys()];
      return cs.direction === "reverse" || n % ways ? ts.reverse() : ts;
    };
    let xs = [...Array(steps).keys()].map((t) => a.x.slice(at(b, t, D), at(b, t, D) + D));
    for (let n = 0, halves = null; n < S; n++) {
      if (n % ways === 0) halves = xs.map(() => zeros(wide));
      let h = row(a.h_0, n, b, R), c = row(a.c_0, n, b, H);
      tapes[n] = [];
      for (const t of order(n)) {
        const s = step(cs, runs[n][0], xs[t], h, c);
        [h, c] = [s.h, s.c];
        tapes[n][t] = s;
        halves[t].set(h, (n % ways) * R);
      }
      found.h_n.set(h, (n * B + b) * R);
      if (sizes.c) found.c_n.set(c, (n * B + b) * H);
      if (n % ways === ways - 1) xs = halves;
    }
    xs.forEach((h, t) => found.output.set(h, at(b, t, wide)));
    let dHs = xs.map((_, t) => a.d_output.slice(at(b, t, wide), at(b, t, wide) + wide));
    for (let n = S - 1, below = null; n >= 0; n--) {
      let dH = row(a.d_h_n, n, b, R), dC = row(a.d_c_n, n, b, H), dX;
      below = below || dHs.map(() => zeros(tapes[n][0].x.length));
      for (const t of order(n).reverse()) {
        add(dH, dHs[t].subarray((n % ways) * R, (n % ways + 1) * R));
        [dX, dH, dC] = stepBack(cs, ...runs[n], tapes[n][t], dH, dC);
        add(below[t], dX);
      }
      found.grad_h_0.set(dH, (n * B + b) * R);
      if (sizes.c) found.grad_c_0.set(dC, (n * B + b) * H);
      if (n % ways === 0) [dHs, below] = [below, null];
    }
    dHs.forEach((dX, t) => found.grad_x.set(dX, at(b, t, D)));
  }
  runs.forEach(([, d], n) => {
    const all = (part) => GATES[cs.cell].flatMap((gate) => [...d[part][gate]]);
    const grads = { weight_ih: all("W"), weight_hh: all("U"), bias_ih: all("x"), bias_hh: all("h") };
    Object.assign(grads, { bias: grads.bias_ih, bias_hn: [...(d.h.n || [])] });
    Object.assign(grads, { weight_hr: [...(d.R || [])], peephole: [...(d.p || [])] });
    for (const name in grads) found[`grad_${name}${suffix(n)}`] = grads[name];
  });
  for (const name in found) if (name.startsWith("grad_") && !(name.slice(5) in a)) delete found[name];
  return found;
}

// The inputs of a case by name, from its JSON or from the safetensors file that it names.
function inputs(cs, folder) {
  const found = {};
  for (const name in cs.inputs) found[name] = Float64Array.from(cs.inputs[name].data);
  if (!cs.arrays) return found;
  const bytes = fs.readFileSync(path.join(folder, cs.arrays));
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, start));
  for (const name in header) {
    if (!name.startsWith("inputs.")) continue;
    const [from, to] = header[name].data_offsets.map((offset) => start + offset);
    const numbers = zeros((to - from) / 8);
    found[name.slice(7)] = numbers.map((_, k) => bytes.readDoubleLE(from + 8 * k));
  }
  return found;
}

const [folder, results] = process.argv.slice(2);
for (const name of fs.readdirSync(folder).filter((each) => each.endsWith(".json"))) {
  const cs = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  cs.act = {};
  for (const place in cs.activations) cs.act[place] = ACTIVATIONS[cs.activations[place]];
  const found = solve(cs, inputs(cs, folder));
  for (const key in found) found[key] = Array.from(found[key]);
  fs.writeFileSync(path.join(results, name), JSON.stringify({ dtype: "float64", results: found }));
}
