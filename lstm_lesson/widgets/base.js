// What every widget starts with; lstm_lesson/widgets/base.py puts it before the widget's own file,
// and the constants in capitals that no script defines before both: NAMES, "i" ... "h" to what they
// are called, and those that the widget's Python module hands over.

const LETTERS = ["i", "f", "g", "o", "c", "h"]; // gates, in the order of the weights, and states
const GATES = LETTERS.slice(0, 4);

// ---- Arithmetic ----

const within = (value, low, high) => Math.min(high, Math.max(low, value));

const sigmoid = (z) => {
  const e = Math.exp(-Math.abs(z));
  return (z >= 0 ? 1 : e) / (1 + e);
};

// bias + weight x. The weight, (R, N), is flat, row by row; x, (N), may also be the place of the 1
// in a vector that is 0 elsewhere.
function affine(bias, weight, x) {
  const z = new Float64Array(bias);
  const N = weight.length / z.length;
  for (let r = 0; r < z.length; r++) {
    let sum = z[r];
    if (typeof x === "number") sum += weight[r * N + x];
    else for (let k = 0, n = r * N; k < N; k++, n++) sum += weight[n] * x[k];
    z[r] = sum;
  }
  return z;
}

// One step of H units, as lstm_step of the package's engine. `held(name, k, value)`, if given,
// returns what unit k has for the value of a gate or state.
function lstmStep(net, x, before, held = (name, k, value) => value) {
  const H = before.c.length;
  const z = affine(affine(net.bias, net.weight_ih, x), net.weight_hh, before.h); // (4H)
  const [i, f, g, o, c, tanh_c, h] = Array.from({ length: 7 }, () => new Float64Array(H));
  for (let k = 0; k < H; k++) {
    i[k] = held("i", k, sigmoid(z[k]));
    f[k] = held("f", k, sigmoid(z[H + k]));
    g[k] = held("g", k, Math.tanh(z[2 * H + k]));
    o[k] = held("o", k, sigmoid(z[3 * H + k]));
    c[k] = held("c", k, f[k] * before.c[k] + i[k] * g[k]);
    tanh_c[k] = Math.tanh(c[k]);
    h[k] = held("h", k, o[k] * tanh_c[k]);
  }
  return { i, f, g, o, c, tanh_c, h };
}

function logSoftmax(logits) {
  const top = Math.max(...logits);
  const log = Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return logits.map((value) => value - top - log);
}

// ---- Elements ----

// Create an element: make("button", {type: "button", onclick: f}, "Next").
function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

// The same for what is inside an <svg>.
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return furnish(element, attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  // JupyterLab would take arrow keys for its own commands.
  if (element.matches("input, button, select, textarea, [tabindex]"))
    element.dataset.lmSuppressShortcuts = "true";
  return element;
}

const button = (text, onclick, more = {}) =>
  make("button", { type: "button", onclick, ...more }, text);

const group = (label, ...children) =>
  make("div", { class: "controls", role: "group", "aria-label": label }, ...children);

// A caption for the eye alone; what it stands before has a name of its own.
const dim = (text) => make("span", { class: "dim", "aria-hidden": "true" }, text);

// A letter with an index: sub("c", "t").
const sub = (letter, index) => make("span", {}, make("i", {}, letter), make("sub", {}, index));

// A widget's state: get("step"), change({step: 2, unit: 0}).
function access(model) {
  const get = (key) => model.get(key);
  const change = (values) => {
    for (const [key, value] of Object.entries(values)) model.set(key, value);
    model.save_changes();
  };
  return { get, change };
}

// A number as the book prints it, with a proper minus sign: show(-0.5) is "−0.50".
function show(value, digits = 2) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

// The same to a power of ten: power(0.00032) is "3.2e−4".
function power(value, digits = 1) {
  return value.toExponential(digits).replace("-", "−").replace("+", "");
}

// A typed number, or null: also with a comma or a proper minus sign.
function parse(text) {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  return plain !== "" && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

// A slider and a text field for one number. `label` names both for a screen reader; `caption`
// (default: the label) is what is seen. `change(value)` is called for each value the reader sets.
// Returns {element, set}: set(value) shows a value that comes from elsewhere.
function field({ label, caption = label, min, max, step, change }) {
  const slider = make("input", { type: "range", min, max, step, "aria-label": label });
  const typed = make("input", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    "aria-label": `${label}, as a number`,
  });
  slider.addEventListener("input", () => {
    typed.value = String(Number(slider.value));
    typed.removeAttribute("aria-invalid");
    change(Number(slider.value));
  });
  typed.addEventListener("input", () => {
    const value = parse(typed.value);
    typed.toggleAttribute("aria-invalid", value === null);
    if (value === null) typed.setAttribute("aria-invalid", "true");
    else {
      slider.value = value;
      change(value);
    }
  });
  // A field that is left with something else in it goes back to the number that counts.
  let current = 0;
  typed.addEventListener("change", () => set(current));
  function set(value) {
    current = value;
    slider.value = value;
    if (document.activeElement !== typed || parse(typed.value) === null)
      typed.value = String(Number(value.toFixed(4)));
    if (parse(typed.value) !== null) typed.removeAttribute("aria-invalid");
  }
  const name = make("span", { class: "caption", "aria-hidden": "true" });
  name.append(caption);
  return { element: make("div", { class: "field" }, name, typed, slider), set };
}

// What a screen reader says after a change, and everyone can read. The text is replaced only when
// the reader rests, so that a dragged slider is not read out at every step.
function readout() {
  const element = make("p", { class: "readout", role: "status", "aria-live": "polite" });
  let timer = null;
  const say = (text) => {
    clearTimeout(timer);
    if (element.textContent === "") element.textContent = text;
    else timer = setTimeout(() => (element.textContent = text), 150);
  };
  return { element, say };
}
