// Run an LSTM on a test case and compare: node read_case.js case.json
const fs = require("fs");

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const dot = (row, vector) => row.reduce((sum, w, k) => sum + w * vector[k], 0);

// One step of one sequence: x [D], h and c [H].
function step(x, h, c, test) {
  const z = test.bias_ih.map(
    (b, k) =>
      b + test.bias_hh[k] + dot(test.weight_ih[k], x) + dot(test.weight_hh[k], h)
  );
  const H = h.length;
  const [i, f, g, o] = [0, 1, 2, 3].map((k) => z.slice(k * H, (k + 1) * H));
  const c_new = c.map(
    (c_k, k) => sigmoid(f[k]) * c_k + sigmoid(i[k]) * Math.tanh(g[k])
  );
  return { h: c_new.map((c_k, k) => sigmoid(o[k]) * Math.tanh(c_k)), c: c_new };
}

// All steps of all sequences: input [T][B][D], states [B][H].
function run(test) {
  let h = test.initial_h;
  let c = test.initial_c;
  const out = test.input.map((x) => {
    const states = x.map((x_b, b) => step(x_b, h[b], c[b], test));
    h = states.map((state) => state.h);
    c = states.map((state) => state.c);
    return h;
  });
  return { expected_h: h, expected_c: c, expected_out: out };
}

const test = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
let passed = true;
for (const [name, ours] of Object.entries(run(test))) {
  const theirs = test[name].flat(2);
  const gaps = ours.flat(2).map((v, k) => Math.abs(v - theirs[k]));
  const worst = gaps.reduce((a, b) => Math.max(a, b));
  passed = passed && worst <= 1e-6; // false for NaN, too
  console.log(`${name}: largest difference ${worst.toExponential(1)}`);
}
console.log(passed ? "PASS" : "FAIL");
process.exitCode = passed ? 0 : 1;
