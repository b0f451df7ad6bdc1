// Gradient highway: how much of a gradient gets back through an LSTM and a plain network. State:
// forget_bias, scale, lag; and the sizes input_size, hidden_size, seeds, warm_up, lags. From
// highway.py: LAGS and SCALE, the largest of each.

// Tommy Ettinger's generator of 32 bits, as in highway.py.
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Inputs and weights of one seed, flat arrays row by row, in the order of highway.py.
function drawNetworks(seed, D, H, T) {
  const next = mulberry32(seed);
  const normal = (n) =>
    Float64Array.from({ length: n }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      return radius * Math.cos(2 * Math.PI * next());
    });
  const bound = Math.sqrt(6 / (D + H));
  const uniform = (n) => Float64Array.from({ length: n }, () => bound * (2 * next() - 1));
  // Gram and Schmidt: each row loses its part along the rows before it.
  const orthogonal = () => {
    const a = normal(H * H);
    for (let n = 0; n < H; n++) {
      const row = a.subarray(n * H, n * H + H);
      for (let m = 0; m < n; m++) {
        const before = a.subarray(m * H, m * H + H);
        const along = dot(row, before);
        for (let k = 0; k < H; k++) row[k] -= along * before[k];
      }
      const size = Math.sqrt(dot(row, row));
      for (let k = 0; k < H; k++) row[k] /= size;
    }
    return a;
  };
  const x = normal(T * D);
  const v = normal(H);
  const lstmWeight = uniform(4 * H * D);
  const lstmRecurrent = new Float64Array(4 * H * H);
  for (let block = 0; block < 4; block++) lstmRecurrent.set(orthogonal(), block * H * H);
  const rnnWeight = uniform(H * D);
  const rnnRecurrent = orthogonal();
  const size = Math.sqrt(dot(v, v));
  for (let k = 0; k < H; k++) v[k] /= size;
  return { x, v, lstmWeight, lstmRecurrent, rnnWeight, rnnRecurrent };
}

function dot(a, b) {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

const length = (a) => Math.sqrt(dot(a, a));

// d_h of the step before: the recurrent weight, transposed, times d_z.
function backThrough(recurrent, d_z, H) {
  const d_h = new Float64Array(H);
  for (let row = 0; row < d_z.length; row++)
    for (let k = 0; k < H; k++) d_h[k] += recurrent[row * H + k] * d_z[row];
  return d_h;
}

// x, flat, as a list of its steps.
const inputs = (x, D) =>
  Array.from({ length: x.length / D }, (_, t) => x.subarray(t * D, t * D + D));

function followLSTM({ x, v, lstmWeight, lstmRecurrent }, forgetBias, scale, D, H, lags) {
  const bias = new Float64Array(4 * H).fill(forgetBias, H, 2 * H);
  const weight_hh = lstmRecurrent.map((u) => scale * u);
  const net = { weight_ih: lstmWeight, weight_hh, bias };
  let state = { h: new Float64Array(H), c: new Float64Array(H) };
  const steps = inputs(x, D).map((x_t) => {
    const c_prev = state.c;
    state = lstmStep(net, x_t, state);
    return { ...state, c_prev };
  });
  // Back: d_h and d_c as they arrive from the step after, and v through the forget gates alone.
  let d_h = new Float64Array(H);
  let d_c = v;
  let path = v;
  const lstm = [];
  const alone = [];
  const d_z = new Float64Array(4 * H);
  for (let lag = 0; lag <= lags; lag++) {
    const { i, f, g, o, tanh_c, c_prev } = steps.at(-1 - lag);
    d_c = d_c.map((d, k) => d + d_h[k] * o[k] * (1 - tanh_c[k]) * (1 + tanh_c[k]));
    lstm.push(length(d_c));
    alone.push(length(path));
    for (let k = 0; k < H; k++) {
      d_z[k] = d_c[k] * g[k] * i[k] * (1 - i[k]);
      d_z[H + k] = d_c[k] * c_prev[k] * f[k] * (1 - f[k]);
      d_z[2 * H + k] = d_c[k] * i[k] * (1 - g[k]) * (1 + g[k]);
      d_z[3 * H + k] = d_h[k] * tanh_c[k] * o[k] * (1 - o[k]);
    }
    d_h = backThrough(weight_hh, d_z, H);
    d_c = d_c.map((d, k) => d * f[k]);
    path = path.map((p, k) => p * f[k]);
  }
  return [lstm, alone];
}

function followRNN({ x, v, rnnWeight, rnnRecurrent }, scale, D, H, lags) {
  const recurrent = rnnRecurrent.map((u) => scale * u);
  const none = new Float64Array(H);
  let h = none;
  const states = inputs(x, D).map(
    (x_t) => (h = affine(affine(none, rnnWeight, x_t), recurrent, h).map(Math.tanh))
  );
  let d_h = v;
  const norms = [];
  for (let lag = 0; lag <= lags; lag++) {
    norms.push(length(d_h));
    h = states.at(-1 - lag);
    d_h = backThrough(recurrent, d_h.map((d, k) => d * (1 - h[k]) * (1 + h[k])), H);
  }
  return norms;
}

const networks = new Map(); // what the seeds drew, for each setting of the sizes

// The norms at lags 0, 1, ..., of each seed: {lstm, path, rnn}, lists of lists.
export function compute(state) {
  const { forget_bias, scale, input_size: D, hidden_size: H, seeds, warm_up, lags } = state;
  const T = warm_up + lags + 1;
  const key = [D, H, T, seeds].join();
  if (!networks.has(key))
    networks.set(key, Array.from({ length: seeds }, (_, n) => drawNetworks(n + 1, D, H, T)));
  const drawn = networks.get(key);
  const followed = drawn.map((net) => followLSTM(net, forget_bias, scale, D, H, lags));
  return {
    lstm: followed.map((pair) => pair[0]),
    path: followed.map((pair) => pair[1]),
    rnn: drawn.map((net) => followRNN(net, scale, D, H, lags)),
  };
}

// The q-quantile of each column, between two seeds as NumPy does it.
function quantile(rows, q) {
  return rows[0].map((_, column) => {
    const sorted = rows.map((row) => row[column]).sort((a, b) => a - b);
    const at = q * (sorted.length - 1);
    const low = Math.floor(at);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
  });
}

const LINES = [
  { name: "lstm", text: "LSTM", colour: "var(--fill-c)", dash: null },
  { name: "path", text: "LSTM, along the cell alone", colour: "var(--fill-f)", dash: "7 4" },
  { name: "rnn", text: "plain RNN", colour: "var(--fill-h)", dash: "2 3" },
];
const [LOW, HIGH] = [-16, 4]; // powers of ten on the vertical axis

export default widget({
  kind: "highway",
  label: "Gradient highway",
  checks: {
    forget_bias: numberFrom(-1000, 1000), scale: numberFrom(0, SCALE), lag: wholeFrom(0, LAGS),
  },
  build({ get, change, say, words, note, notes, frame }) {
    const add = (key, options) =>
      field({ ...options, note, change: (value) => change({ [key]: value }) });
    const fields = {
      forget_bias: add("forget_bias", { label: "forget bias", min: -2, max: 8, step: 0.1 }),
      // Beyond, the plain network is so chaotic that its numbers depend on the last digit.
      scale: add("scale", {
        label: "recurrent scale", min: 0, max: SCALE, low: 0, high: SCALE, step: 0.05,
      }),
      lag: add("lag", { label: "lag, in steps", min: 0, max: LAGS, low: 0, high: LAGS, step: 1 }),
    };
    const legend = make("div", { class: "controls", "aria-hidden": "true" });
    for (const { text, colour, dash } of LINES) {
      const stroke = { x1: 0, x2: 30, y1: 6, y2: 6, "stroke-width": 3, "stroke-dasharray": dash };
      const line = draw("line", stroke);
      line.style.stroke = colour;
      const sample = draw("svg", { viewBox: "0 0 30 12" }, line);
      legend.append(make("span", { class: "key" }, sample, text));
    }
    const chart = make("div", { class: "chart" });
    const numbers = make("tbody");
    const heads = ["Gradient norm", "median", "middle 80 %"];
    const columns = heads.map((text) => make("th", { scope: "col" }, text));
    const caption = make("caption");
    const head = make("thead", {}, make("tr", {}, ...columns));
    const table = make("table", {}, caption, head, numbers);
    const hint = "Tap, click or drag in the chart to read it at another lag.";
    const parts = [
      make("div", { class: "three" }, ...Object.values(fields).map(({ element }) => element)),
      notes, legend, chart, make("p", { class: "dim hint" }, hint), words, table,
    ];

    let known = { key: null };
    function norms() {
      const sizes = ["input_size", "hidden_size", "seeds", "warm_up", "lags"];
      const names = ["forget_bias", "scale", ...sizes];
      const state = Object.fromEntries(names.map((name) => [name, get(name)]));
      const key = JSON.stringify(state);
      if (known.key !== key) {
        const all = compute(state);
        known = { key };
        for (const { name } of LINES)
          known[name] = [0.1, 0.5, 0.9].map((q) => quantile(all[name], q));
      }
      return known;
    }

    function plot(all, lag) {
      const [width, height] = [Math.max(240, chart.clientWidth || 600), 260];
      const [left, right, top, bottom] = [46, width - 14, 8, height - 38];
      const X = (k) => left + ((right - left) * k) / LAGS;
      const Y = (value) => {
        const p = within(Math.log10(value || 1e-300), LOW - 2, HIGH + 2);
        return bottom - ((bottom - top) * (p - LOW)) / (HIGH - LOW);
      };
      const point = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`;
      const path = (points) => "M" + points.map(point).join("L");
      const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
      const ends = LINES.map((l) => `${l.text} ends at ${power(all[l.name][1][LAGS])}`).join("; ");
      svg.setAttribute("aria-label", `Norm of the gradient against the lag, 0 to ${LAGS} steps, ` +
        `on a logarithmic axis. ${ends}.`);
      const text = (x, y, content, anchor) =>
        draw("text", { x, y, "font-size": 12, "text-anchor": anchor }, content);
      for (let p = LOW; p <= HIGH; p += 4) {
        const y = Y(10 ** p);
        const line = { x1: left, x2: right, y1: y, y2: y, "stroke-width": p === 0 ? 1.2 : 0.6 };
        svg.append(draw("line", { ...line, stroke: p === 0 ? "var(--line)" : "var(--faint)" }));
        const label = text(left - 6, y + 4, p === 0 ? "1" : "10", "end");
        if (p !== 0) label.append(draw("tspan", { dy: -5, "font-size": 9 }, show(p, 0)));
        svg.append(label);
      }
      for (let k = 0; k <= LAGS; k += 20) svg.append(text(X(k), bottom + 16, String(k), "middle"));
      svg.append(text((left + right) / 2, height - 4, "lag (steps back)", "middle"));
      const area = draw("svg", { x: left, y: top, width: right - left, height: bottom - top,
        viewBox: `${left} ${top} ${right - left} ${bottom - top}` });
      for (const { name, colour, dash } of LINES) {
        const [low, median, high] = all[name].map((values) => values.map((v, k) => [X(k), Y(v)]));
        const band = draw("path", { d: path([...low, ...high.reverse()]) + "Z", opacity: 0.2 });
        band.style.fill = colour;
        const stroke = { fill: "none", "stroke-width": 2.5, "stroke-dasharray": dash };
        const line = draw("path", { d: path(median), ...stroke });
        line.style.stroke = colour;
        area.append(band, line);
      }
      svg.append(area);
      const marker = { x1: X(lag), x2: X(lag), y1: top, y2: bottom, stroke: "var(--ink)" };
      svg.append(draw("line", { ...marker, "stroke-dasharray": "3 3" }));
      for (const { name, colour } of LINES) {
        const y = Y(all[name][1][lag]);
        if (y < top || y > bottom) continue;
        const dot = draw("circle", { cx: X(lag), cy: y, r: 4.5, stroke: "var(--ink)" });
        dot.style.fill = colour;
        svg.append(dot);
      }
      chart.replaceChildren(svg);
      // The marker can be dragged, too; a finger that only scrolls past leaves it.
      const follow = ({ clientX }) => {
        const box = chart.getBoundingClientRect();
        const share = (clientX - box.left - left) / (right - left);
        change({ lag: within(Math.round(share * LAGS), 0, LAGS) });
      };
      chart.onclick = follow;
      chart.onpointermove = (event) => event.buttons && follow(event);
    }

    function refresh() {
      const all = norms();
      const lag = get("lag");
      for (const [name, control] of Object.entries(fields)) control.set(get(name));
      plot(all, lag);
      const now = LINES.map(({ name, text }) => [text, ...all[name].map((values) => values[lag])]);
      caption.textContent = `After ${lag} steps back, ${get("seeds")} networks each`;
      numbers.replaceChildren(
        ...now.map(([text, low, median, high]) =>
          make("tr", {}, make("th", { scope: "row" }, text), make("td", {}, power(median)),
            make("td", {}, `${power(low)} to ${power(high)}`)))
      );
      const [lstm, path, rnn] = now.map((row) => power(row[2]));
      say(
        `${lag} steps back, the LSTM still has ${lstm} of the gradient, its cell alone ` +
          `would carry ${path}, and the plain RNN has ${rnn}.`
      );
    }
    const resized = new ResizeObserver(() => frame.isConnected && refresh());
    resized.observe(chart);
    return { parts, refresh, stop: () => resized.disconnect() };
  },
});
