// Gate playground: one LSTM cell of one unit. State: w, u, b (i, f, g, o), x (the inputs), h, c
// (before the first step), pins ({step: {h, c}}, set by hand later on), step, preset, presets.

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

function diagram() {
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
  for (const [key, x] of Object.entries(at)) {
    box(x, row, 1.7, 1.6, { fill: "var(--paper)" });
    levels[key] = draw("rect", { x: x - 0.85, width: 1.7, fill: fill(key), opacity: 0.4 });
    svg.append(levels[key]);
    box(x, row, 1.7, 1.6, { fill: "none", stroke: fill(key), "stroke-width": 0.09 });
    letter(x, row + 0.38, key, "t");
    numbers[key] = text(x, row - 0.4, "", size);
    text(x, key === "g" ? 0.22 : 0.78, NAMES[key].replace(" gate", ""), 0.56);
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

  function update(values) {
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
  const svg = draw("svg", { viewBox: "0 0 320 126", role: "img", class: "strip" });
  function update(steps, current) {
    const width = 282 / steps.length;
    const parts = [];
    const middle = (t) => 34 + width * (t + 0.5);
    const rect = (attributes) => parts.push(draw("rect", attributes));
    const place = { x: 34 + width * current, y: 2, width, height: 122, rx: 3 };
    rect({ ...place, fill: "var(--panel)", stroke: "var(--accent)" });
    const rows = [["x", "line", 22], ["c", "fill-c", 62], ["h", "fill-h", 102]];
    for (const [key, colour, y] of rows) {
      const largest = Math.max(1, ...steps.map((s) => Math.abs(s[key])));
      const zero = { x1: 34, x2: 316, y1: y, y2: y, "stroke-width": 0.6 };
      parts.push(draw("line", { ...zero, stroke: "var(--line)" }));
      const letter = draw("tspan", { "font-style": "italic" }, key);
      const index = draw("tspan", { "font-size": 9, dy: 3 }, "t");
      parts.push(draw("text", { x: 4, y: y + 4, "font-size": 13 }, letter, index));
      steps.forEach((s, t) => {
        const height = (16 * Math.abs(s[key])) / largest;
        const bar = { x: middle(t) - width * 0.32, width: width * 0.64, height };
        const [top, opacity] = [s[key] > 0 ? y - height : y, t <= current ? 1 : 0.35];
        rect({ ...bar, y: top, fill: `var(--${colour})`, opacity });
      });
    }
    const touch = { y: 0, width, height: 126, fill: "transparent" };
    steps.forEach((_, t) => rect({ ...touch, x: 34 + width * t, onclick: () => go(t) }));
    svg.replaceChildren(...parts);
    const words = steps.map((s) => show(s.c)).join(", ");
    const label = `The memory c after each of the ${steps.length} steps: ${words}.`;
    svg.setAttribute("aria-label", label);
  }
  return { element: svg, update };
}

const PARAMETERS = { w: "weight of the input", u: "weight of the hidden state", b: "bias" };

function render({ model, el }) {
  const { get, change } = access(model);
  const replaced = (list, k, value) => list.map((old, n) => (n === k ? value : old));

  // What the reader can set.
  const cell = diagram();
  const bars = strip((t) => change({ step: t }));
  const words = readout();
  const fields = {};
  const add = (key, options) => (fields[key] = field(options)).element;

  const buttons = get("presets").map(({ name, ...values }) => [
    name,
    button(name, () => change({ ...values, pins: {}, step: 0, preset: name })),
  ]);
  const presets = group("Presets", dim("Presets"), ...buttons.map(([, element]) => element));

  const back = button("← Previous", () => change({ step: get("step") - 1 }));
  const next = button("Next →", () => change({ step: get("step") + 1 }));
  const reset = button("Reset", () => change({ step: 0, pins: {} }));
  const where = make("span", { class: "dim" });
  const stepping = group("Steps", back, next, reset, where);

  const list = make("input", {
    type: "text", autocomplete: "off", class: "list", "aria-label": "Inputs, one number a step",
  });
  const numbers = () => list.value.trim().split(/[\s,;]+/).map(parse);
  list.addEventListener("input", () => {
    const x = numbers();
    const good = x.length <= 16 && x.every((value) => value !== null);
    if (!good) list.setAttribute("aria-invalid", "true");
    else change({ x, step: Math.min(get("step"), x.length - 1), preset: "" });
  });
  list.addEventListener("change", () => refresh());

  // Before the first step h and c are the initial state; later, setting one pins it there.
  const before = (key) => (value) => {
    const t = get("step");
    const pins = get("pins");
    if (t === 0) change({ [key]: value, preset: "" });
    else change({ pins: { ...pins, [t]: { ...pins[t], [key]: value } }, preset: "" });
  };
  const moment = make(
    "fieldset",
    {},
    make("legend", {}, "Into this step"),
    make(
      "div",
      { class: "three" },
      add("x", {
        label: "input x of this step",
        caption: sub("x", "t"),
        min: -3, max: 3, step: 0.1,
        change: (x_t) => change({ x: replaced(get("x"), get("step"), x_t), preset: "" }),
      }),
      add("h", {
        label: "hidden state h before this step",
        caption: make("span", { class: "gate-h" }, sub("h", "t−1")),
        min: -1, max: 1, step: 0.05,
        change: before("h"),
      }),
      add("c", {
        label: "cell state c before this step",
        caption: make("span", { class: "gate-c" }, sub("c", "t−1")),
        min: -5, max: 5, step: 0.1,
        change: before("c"),
      })
    )
  );

  const weights = make("fieldset", { class: "gates" }, make("legend", {}, "Weights and biases"));
  GATES.forEach((gate, k) => {
    const name = make("div", { class: `gate gate-${gate}` }, NAMES[gate]);
    const trio = make("div", { class: "three", role: "group", "aria-label": NAMES[gate] }, name);
    for (const [key, what] of Object.entries(PARAMETERS))
      trio.append(
        add(key + gate, {
          label: `${NAMES[gate]}, ${what}`,
          caption: make("span", { class: `gate-${gate}` }, sub(key, gate)),
          min: -12, max: 12, step: 0.1,
          change: (value) => change({ [key]: replaced(get(key), k, value), preset: "" }),
        })
      );
    weights.append(trio);
  });

  const inputs = make("label", { class: "controls" }, dim("Inputs"), list);
  const frame = make(
    "section",
    { class: "lstm-widget playground", "aria-label": "Gate playground" },
    presets, cell.element, words.element, stepping, bars.element, inputs, moment, weights
  );
  el.append(frame);

  function refresh() {
    const [w, u, b, x, pins] = ["w", "u", "b", "x", "pins"].map(get);
    const steps = compute({ w, u, b, x, h: get("h"), c: get("c"), pins });
    const t = Math.min(get("step"), x.length - 1);
    const s = steps[t];
    cell.update(s);
    bars.update(steps, t);
    fields.x.set(s.x);
    fields.h.set(Number(s.h_prev.toFixed(3)));
    fields.c.set(Number(s.c_prev.toFixed(3)));
    GATES.forEach((gate, k) => {
      fields[`w${gate}`].set(w[k]);
      fields[`u${gate}`].set(u[k]);
      fields[`b${gate}`].set(b[k]);
    });
    for (const [name, element] of buttons)
      element.setAttribute("aria-pressed", String(name === get("preset")));
    where.textContent = `Step ${t + 1} of ${x.length}`;
    back.disabled = t === 0;
    next.disabled = t === x.length - 1;
    if (document.activeElement !== list) {
      list.value = x.map((value) => String(value)).join(", ");
      list.removeAttribute("aria-invalid");
    } else if (numbers().every((value) => value !== null)) list.removeAttribute("aria-invalid");
    const pinned = Object.keys(pins[t] ?? {}).join(" and ");
    words.say(
      `Step ${t + 1} of ${x.length}. The forget gate, ${show(s.f)}, keeps ${show(s.kept)} of the ` +
        `memory ${show(s.c_prev)}. The input gate, ${show(s.i)}, times the candidate, ` +
        `${show(s.g)}, adds ${show(s.added)}. The memory is now ${show(s.c)}; the output gate, ` +
        `${show(s.o)}, shows ${show(s.h)}.` +
        (pinned ? ` Before this step you set ${pinned} by hand; Reset undoes it.` : "")
    );
  }
  model.on("change", refresh);
  refresh();
  return () => model.off("change", refresh);
}

export default { render };
