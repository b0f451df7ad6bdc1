// Gate playground: one LSTM cell of one unit. State: w, u, b (i, f, g, o), x (the inputs), h, c
// (before the first step), pins ({step: {h, c}}, set by hand later on), step, chosen (whose numbers
// are to be moved: "i" ... "o", or "x" for what comes into the step), preset. From playground.py:
// PRESETS, {name: {w, u, ...}}, and MOST, of the inputs.

// Every number of every step. `pins` overrule what a step is handed.
export function compute({ w, u, b, x, h, c, pins = {} }) {
  const net = { weight_ih: w, weight_hh: u, bias: b };
  return x.map((x_t, t) => {
    const h_prev = pins[t]?.h ?? h;
    const c_prev = pins[t]?.c ?? c;
    const step = lstmStep(net, [x_t], { h: [h_prev], c: [c_prev] });
    const values = Object.fromEntries(Object.entries(step).map(([name, [one]]) => [name, one]));
    const { i, f, g } = values;
    ({ h, c } = values);
    return { x: x_t, h_prev, c_prev, kept: f * c_prev, added: i * g, ...values };
  });
}

// ---- The diagram: lstm_lesson.figures.diagrams.cell_diagram, drawn here ----

function diagram(open) {
  const Y = (y) => 8.6 - y; // heights as in Python, where they count upwards
  const [top, meet, row, bus, out, low, r] = [7.2, 5.5, 3.25, 1.3, 11.3, 4.5, 0.42];
  const at = { f: 3.2, i: 5.3, g: 7.4, o: 9.5 };
  const svg = draw("svg", {
    viewBox: "-0.95 0.1 15.9 9.6",
    role: "img",
    "aria-label": "The cell, with the numbers of this step; the line below says them in words.",
    class: "cell",
  });
  const wires = {};
  const wire = (key, colour, ...points) => {
    const d = "M" + points.map(([x, y]) => `${x},${Y(y)}`).join("L");
    const path = draw("path", { d, fill: "none", stroke: colour, "stroke-linejoin": "round" });
    path.style.strokeWidth = 0.07;
    svg.append(path);
    if (key) (wires[key] ??= []).push(path);
  };
  const head = (x, y, dx, dy, colour) => {
    const [px, py] = [-dy * 0.22, dx * 0.22];
    const [ex, ey] = [x - dx * 0.5, y - dy * 0.5];
    const points = [[x, y], [ex + px, ey + py], [ex - px, ey - py]].map(([x, y]) => [x, Y(y)]);
    svg.append(draw("polygon", { points: points.join(" "), fill: colour }));
  };
  const fill = (key) => `var(--fill-${key})`;
  const text = (x, y, content, size, anchor = "middle") => {
    const attributes = { x, y: Y(y) + size * 0.35, "font-size": size, "text-anchor": anchor };
    const element = draw("text", attributes, content);
    svg.append(element);
    return element;
  };
  const letter = (x, y, base, index, size = 0.72) => {
    const small = draw("tspan", { "font-size": size * 0.7, dy: size * 0.22 }, index);
    const italic = draw("tspan", { "font-style": "italic" }, base);
    const element = text(x, y, "", size);
    element.append(italic, small);
  };
  const box = (x, y, w, h, attributes) => {
    const place = { x: x - w / 2, y: Y(y) - h / 2, width: w, height: h, rx: 0.22 };
    const rect = draw("rect", { ...place, ...attributes });
    svg.append(rect);
    return rect;
  };

  const inked = { fill: "var(--paper)", stroke: "var(--ink)", "stroke-width": 0.05 };
  const faint = { fill: "var(--panel)", stroke: "var(--faint)", "stroke-width": 0.04 };
  box(7.1, 4.2, 11.1, 8.5, { rx: 0.6, ...faint });
  const ink = "var(--line)";
  wire("c_prev", fill("c"), [0.75, top], [at.f, top]);
  wire("kept", fill("c"), [at.f, top], [at.g, top]);
  wire("c", fill("c"), [at.g, top], [13.3, top]);
  head(13.6, top, 1, 0, fill("c"));
  wire("h_prev", fill("h"), [0.75, bus], [2.3, bus]);
  wire(null, ink, [2.3, -0.25], [2.3, bus], [at.o, bus]);
  for (const x of Object.values(at)) {
    wire(null, ink, [x, bus], [x, row - 0.9]);
    head(x, row - 0.8, 0, 1, ink);
  }
  wire("f", fill("f"), [at.f, row], [at.f, top - r - 0.3]);
  head(at.f, top - r, 0, 1, fill("f"));
  wire("i", fill("i"), [at.i, row], [at.i, meet], [at.g - r - 0.3, meet]);
  head(at.g - r, meet, 1, 0, fill("i"));
  wire("g", fill("g"), [at.g, row], [at.g, meet - r - 0.3]);
  head(at.g, meet - r, 0, 1, fill("g"));
  wire("added", ink, [at.g, meet], [at.g, top - r - 0.3]);
  head(at.g, top - r, 0, 1, ink);
  wire("o", fill("o"), [at.o, row], [at.o, low], [out - r - 0.3, low]);
  head(out - r, low, 1, 0, fill("o"));
  wire("tanh_c", fill("c"), [out, top], [out, low + r + 0.3]);
  head(out, low + r, 0, -1, fill("c"));
  wire("h", fill("h"), [out, low], [out, bus], [13.3, bus]);
  head(13.6, bus, 1, 0, fill("h"));

  const products = [[at.f, top], [at.g, meet], [out, low]].map((place) => [...place, "×"]);
  for (const [x, y, sign] of [...products, [at.g, top, "+"]]) {
    svg.append(draw("circle", { cx: x, cy: Y(y), r, ...inked }));
    text(x, y, sign, 0.8);
  }
  box(out, 6.05, 1.7, 0.85, inked);
  text(out, 6.05, "tanh", 0.6);

  const levels = {};
  const numbers = {};
  const size = 0.62;
  const shift = { i: -0.05, f: 0, g: -0.12, o: 0.12 }; // the longest name needs room
  for (const [key, x] of Object.entries(at)) {
    box(x, row, 1.7, 1.6, { fill: "var(--paper)" });
    levels[key] = draw("rect", { x: x - 0.85, width: 1.7, fill: fill(key), opacity: 0.4 });
    svg.append(levels[key]);
    box(x, row, 1.7, 1.6, { fill: "none", stroke: fill(key), "stroke-width": 0.09 });
    letter(x, row + 0.38, key, "t");
    numbers[key] = text(x, row - 0.4, "", size);
    text(x + shift[key], 0.78, NAMES[key].replace(" gate", ""), 0.48);
  }
  for (const [base, index, key, x, y] of [
    ["c", "t−1", "c_prev", -0.05, top],
    ["c", "t", "c", 14.2, top],
    ["h", "t−1", "h_prev", -0.05, bus],
    ["h", "t", "h", 14.2, bus],
  ]) {
    letter(x, y + 0.45, base, index);
    numbers[key] = text(x, y - 0.35, "", size);
  }
  letter(1.75, -0.65, "x", "t");
  numbers.x = text(2.3, -0.65, "", size, "start");
  numbers.kept = text((at.f + at.g) / 2, top + 0.45, "", size);
  numbers.added = text(at.g + 0.28, (top + meet) / 2, "", size, "start");
  numbers.tanh_c = text(out - 0.35, 5.25, "", size, "end");

  // A press on a box, or on what comes in, opens its numbers.
  const place = { i: [at.i, 2.4], f: [at.f, 2.4], g: [at.g, 2.4], o: [at.o, 2.4] };
  const touch = Object.entries(place).map(([key, [x, y]]) => [key, box(x, y, 2.1, 3.9, {})]);
  touch.push(["x", box(-0.05, top, 1.9, 2, {})], ["x", box(-0.05, bus, 1.9, 2, {})]);
  touch.push(["x", box(2.3, -0.65, 2.6, 1, {})]);
  for (const [key, rect] of touch) {
    rect.classList.add("touch");
    rect.addEventListener("click", () => open(key));
  }

  function update(values, chosen) {
    for (const [key, rect] of touch) rect.classList.toggle("chosen", key === chosen);
    for (const [key, element] of Object.entries(numbers)) element.textContent = show(values[key]);
    for (const key of GATES) {
      // A gate fills from the floor, the candidate up or down from the middle.
      const height = key === "g" ? 0.8 * Math.abs(values.g) : 1.6 * values[key];
      const y = key !== "g" ? Y(row - 0.8) - height : values.g > 0 ? Y(row) - height : Y(row);
      levels[key].setAttribute("y", y);
      levels[key].setAttribute("height", height);
    }
    // A wire is as thick as what flows through it.
    for (const [key, paths] of Object.entries(wires))
      for (const path of paths)
        path.style.strokeWidth = 0.05 + 0.25 * Math.min(1, Math.abs(values[key]));
  }
  return { element: svg, update };
}

// ---- The strip below: inputs, memory and hidden state over the steps ----

function strip(go) {
  const svg = draw("svg", { role: "img", class: "strip" }); // across in per cent, down in pixels
  function update(steps, current) {
    const parts = [];
    const rect = (t, share, attributes) => {
      const [x, width] = [t + (1 - share) / 2, share].map((n) => `${(100 * n) / steps.length}%`);
      parts.push(draw("rect", { x, width, ...attributes }));
    };
    const now = { y: 2, height: 106, rx: 3, fill: "var(--panel)", stroke: "var(--accent)" };
    rect(current, 1, now);
    const rows = [["x", "line", 20], ["c", "fill-c", 55], ["h", "fill-h", 90]];
    for (const [key, colour, y] of rows) {
      const largest = Math.max(1, ...steps.map((s) => Math.abs(s[key])));
      parts.push(draw("line", { x1: 0, x2: "100%", y1: y, y2: y, stroke: "var(--line)" }));
      const letter = draw("tspan", { "font-style": "italic" }, key);
      const index = draw("tspan", { "font-size": 9, dy: 3 }, "t");
      parts.push(draw("text", { x: -26, y: y + 4, "font-size": 13 }, letter, index));
      steps.forEach((s, t) => {
        const height = (15 * Math.abs(s[key])) / largest;
        const [top, opacity] = [s[key] > 0 ? y - height : y, t <= current ? 1 : 0.35];
        rect(t, 0.6, { y: top, height, fill: `var(--${colour})`, opacity });
      });
    }
    const touch = { y: 0, height: 110, fill: "transparent" };
    steps.forEach((_, t) => rect(t, 1, { ...touch, onclick: () => go(t) }));
    svg.replaceChildren(...parts);
    const words = steps.map((s) => show(s.c)).join(", ");
    const label = `The memory c after each of the ${steps.length} steps: ${words}.`;
    svg.setAttribute("aria-label", label);
  }
  return { element: svg, update };
}

const PARAMETERS = { w: "weight of the input", u: "weight of the hidden state", b: "bias" };
const INTO = "into this step";
const replaced = (list, k, value) => list.map((old, n) => (n === k ? value : old));
const listed = (x) => x.map(String).join(", ");

// The numbers of a list, and what is to be said of the rest.
function readList(text, current) {
  const words = text.trim().split(/[\s,;]+/).filter(Boolean);
  const found = words.map(parse);
  const value = found.filter((x) => numberFrom(-1000, 1000)(x)).slice(0, MOST);
  const odd = words[found.findIndex((x) => !numberFrom(-1000, 1000)(x))];
  const left = odd === undefined ? "" : `${quoted(odd)} is no number from −1,000 to 1,000`;
  if (value.length === 0)
    return { value: null, said: `${left || "No number"}: the inputs stay ${listed(current)}.` };
  const count = `${value.length} of ${words.length} inputs read`;
  if (value.length === words.length) return { value, said: "" };
  return { value, said: `${count}; ${left || `there is room for ${MOST}`}.` };
}

const pinned = (pins) =>
  pins !== null && typeof pins === "object" &&
  Object.entries(pins).every(([t, states]) => wholeFrom(1, MOST - 1)(Number(t)) &&
    states !== null && typeof states === "object" &&
    Object.entries(states).every(([key, c]) => "hc".includes(key) && numberFrom(-1000, 1000)(c)));

const four = numbersFrom(4, 4);
const one = numberFrom(-1000, 1000);

export default widget({
  kind: "playground",
  label: "Gate playground",
  checks: {
    preset: (name) => name === "" || Object.hasOwn(PRESETS, name),
    w: four, u: four, b: four, x: numbersFrom(1, MOST), h: one, c: one, pins: pinned,
    step: wholeFrom(0, MOST - 1), chosen: among([...GATES, "x"]),
  },
  start: (first, { preset }) => ({ ...first, ...PRESETS[preset] }),
  build({ get, change, say, words, note, notes }) {
    const open = (key) => change({ chosen: key });
    const go = (step) => change({ step });
    const cell = diagram(open);
    const bars = strip(go);
    const presets = choices("Presets", Object.keys(PRESETS).map((name) => [name, name]), (preset) =>
      change({ ...PRESETS[preset], pins: {}, step: 0, preset })
    );

    // The numbers of one gate at a time, or those that come into the step.
    const fields = {};
    const panel = (key, name, ...options) => {
      const three = options.map(([own, more]) => {
        fields[own] = field({ note, ...more });
        return fields[own].element;
      });
      const legend = make("legend", { class: `gate-${key}` }, name);
      return make("fieldset", { "data-of": key }, legend, ...three);
    };
    // Before the first step h and c are the initial state; later, setting one pins it there.
    const before = (key) => (value) => {
      const [t, pins] = [get("step"), get("pins")];
      if (t === 0) change({ [key]: value, preset: "" });
      else change({ pins: { ...pins, [t]: { ...pins[t], [key]: value } }, preset: "" });
    };
    const handed = (key) => make("span", { class: `gate-${key}` }, sub(key, "t−1"));
    const panels = [
      panel("x", INTO,
        ["x", { label: "input x of this step", caption: sub("x", "t"), min: -3, max: 3, step: 0.1,
          change: (x_t) => change({ x: replaced(get("x"), get("step"), x_t), preset: "" }) }],
        ["h", { label: "hidden state h before this step", caption: handed("h"),
          min: -1, max: 1, step: 0.05, change: before("h") }],
        ["c", { label: "cell state c before this step", caption: handed("c"),
          min: -5, max: 5, step: 0.1, change: before("c") }]),
      ...GATES.map((gate, k) =>
        panel(gate, NAMES[gate], ...Object.entries(PARAMETERS).map(([key, what]) => [
          key + gate,
          { label: `${NAMES[gate]}, ${what}`, min: -12, max: 12, step: 0.1,
            caption: make("span", { class: `gate-${gate}` }, sub(key, gate)),
            change: (value) => change({ [key]: replaced(get(key), k, value), preset: "" }) },
        ]))),
    ];
    const tabs = choices("Numbers to move", [
      ["x", make("i", {}, "x, h, c"), { "aria-label": INTO }],
      ...GATES.map((gate) => {
        const named = { class: `gate-${gate}`, title: NAMES[gate], "aria-label": NAMES[gate] };
        return [gate, sub(gate, "t"), named];
      }),
    ], open);

    const back = button("← Previous", () => go(get("step") - 1));
    const next = button("Next →", () => go(get("step") + 1));
    const reset = button("Reset", () => change({ step: 0, pins: {} }));
    const where = make("span", { class: "dim" });
    const named = { autocomplete: "off", "aria-label": "Inputs, one number a step" };
    const list = entry(make("input", { type: "text", ...named }), {
      read: readList, write: listed, note,
      change: (x) => change({ x, step: Math.min(get("step"), x.length - 1), preset: "" }),
    });
    const hint = make("p", { class: "dim hint" }, "Tap or click a gate to open its three numbers.");
    const parts = [
      presets.element,
      make("div", { class: "desk" },
        make("div", { class: "seen" }, cell.element, notes),
        make("div", { class: "set" }, tabs.element, ...panels, hint),
        words,
        make("div", {}, group("Steps", back, next, reset, where),
          make("label", { class: "controls wide" }, dim("Inputs"), list.element))),
      bars.element,
    ];

    function refresh() {
      const [w, u, b, x, pins] = ["w", "u", "b", "x", "pins"].map(get);
      const steps = compute({ w, u, b, x, h: get("h"), c: get("c"), pins });
      const t = Math.min(get("step"), x.length - 1);
      const s = steps[t];
      cell.update(s, get("chosen"));
      bars.update(steps, t);
      presets.set(get("preset"));
      tabs.set(get("chosen"));
      for (const element of panels) element.hidden = element.dataset.of !== get("chosen");
      fields.x.set(s.x);
      fields.h.set(Number(s.h_prev.toFixed(3)));
      fields.c.set(Number(s.c_prev.toFixed(3)));
      for (const [key, values] of Object.entries({ w, u, b }))
        GATES.forEach((gate, k) => fields[key + gate].set(values[k]));
      where.textContent = `Step ${t + 1} of ${x.length}`;
      back.disabled = t === 0;
      next.disabled = t === x.length - 1;
      list.set(x);
      const byHand = Object.keys(pins[t] ?? {}).join(" and ");
      say(
        `Step ${t + 1} of ${x.length}. The forget gate, ${show(s.f)}, keeps ${show(s.kept)} of ` +
          `the memory ${show(s.c_prev)}. The input gate, ${show(s.i)}, times the candidate, ` +
          `${show(s.g)}, adds ${show(s.added)}. The memory is now ${show(s.c)}; the output gate, ` +
          `${show(s.o)}, shows ${show(s.h)}.` +
          (byHand ? ` Before this step you set ${byHand} by hand; Reset undoes it.` : "")
      );
    }
    return { parts, refresh };
  },
});
