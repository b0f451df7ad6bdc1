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

// ---- What a reader sets ----

// One of several, side by side as buttons: one stop of the Tab key, and arrow keys between them.
// Each option is [value, what is seen, {class, title, "aria-label"}].
function choices(label, options, pick) {
  const name = `${label} ${Math.random()}`; // radio buttons of one name belong together
  const element = make("div", { class: "controls", role: "radiogroup", "aria-label": label });
  const inputs = options.map(([value, seen, { class: look, title, ...more } = {}]) => {
    const radio = { type: "radio", name, value, onchange: () => pick(value), ...more };
    const input = make("input", radio);
    const face = make("span", { class: look, title }, seen);
    element.append(make("label", { class: "pick" }, input, face));
    return input;
  });
  const set = (value) => inputs.forEach((input) => (input.checked = input.value === value));
  return { element, set };
}

// A select with its caption; options are [value, text], and `read` makes the value of the text.
function select(label, options, pick, read = String) {
  const list = make("select", { "aria-label": label });
  list.addEventListener("change", () => pick(read(list.value)));
  const fill = (all) => {
    if (list.dataset.filled === String(all)) return;
    list.dataset.filled = all;
    list.replaceChildren(...all.map(([value, text]) => make("option", { value }, text)));
  };
  fill(options);
  const element = make("label", { class: "select" }, dim(label), list);
  return { element, list, fill, set: (value) => (list.value = String(value)) };
}

const inWords = (value) => value.toLocaleString("en").replace("-", "−");

// The beginning of what was typed, to quote it.
function quoted(text) {
  const all = Array.from(text.trim());
  return `“${all.slice(0, 12).join("")}${all.length > 12 ? "…" : ""}”`;
}

// A text field. `read(text, current)` makes {value, said} of what is typed: the value, if not null,
// counts at once, and `said`, if not "", tells what became of the rest. `write(value)` is what
// stands there when it is left. `note` as below.
function entry(element, { read, write = String, change, note }) {
  let current = null;
  const accept = () => {
    element.value = write(current);
    element.removeAttribute("aria-invalid");
  };
  element.addEventListener("input", () => {
    const { value, said } = read(element.value, current);
    element.removeAttribute("aria-invalid");
    if (said) element.setAttribute("aria-invalid", "true");
    if (value !== null) change((current = value));
    note(said, element);
  });
  element.addEventListener("change", accept);
  const set = (value) => {
    current = value;
    if (document.activeElement !== element) accept();
  };
  return { element, set };
}

// A slider and a text field for one number. `label` names both for a screen reader; `caption`
// (default: the label) is what is seen. A typed number may lie beyond the slider's ends, min and
// max, up to low and high. `change(value)` is called for each value that the reader sets.
function field({ label, caption = label, min, max, step, low = -1000, high = 1000, change, note }) {
  const slider = make("input", { type: "range", min, max, step, "aria-label": label });
  const input = { type: "text", inputmode: "decimal", autocomplete: "off" };
  const plain = (value) => String(Number(value.toFixed(4)));
  const typed = entry(make("input", { ...input, "aria-label": `${label}, as a number` }), {
    read(text, current) {
      const wanted = parse(text);
      const value = within(step === 1 ? Math.round(wanted) : wanted, low, high);
      if (value === wanted) return { value, said: "" };
      const begin = `${label[0].toUpperCase()}${label.slice(1)}: `;
      if (wanted === null) {
        const what = text.trim() ? `${quoted(text)} is not a number` : "nothing is typed";
        return { value: null, said: `${begin}${what}, so it stays ${inWords(current)}.` };
      }
      const kind = `a ${step === 1 ? "whole " : ""}number from ${inWords(low)} to ${inWords(high)}`;
      return { value, said: `${begin}${kind}, so it is ${inWords(value)} now.` };
    },
    write: plain,
    note,
    change(value) {
      slider.value = value;
      change(value);
    },
  });
  const set = (value) => {
    typed.set(value);
    slider.value = value;
  };
  const moved = () => {
    typed.set(Number(slider.value));
    change(Number(slider.value));
  };
  slider.addEventListener("input", moved);
  // A finger that goes on to scroll the page had no wish to move the slider.
  let before;
  slider.addEventListener("pointerdown", () => (before = slider.value));
  slider.addEventListener("pointercancel", () => {
    slider.value = before;
    moved();
  });
  const name = make("span", { class: "caption", "aria-hidden": "true" });
  name.append(caption);
  return { element: make("div", { class: "field" }, name, slider, typed.element), set };
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

// ---- A widget: its frame, its life, and its state in the page's address ----

// A value in an address, readable where it can be, and back. `like` is of the same kind.
function toAddress(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const code = (mark) => `%${mark.charCodeAt(0).toString(16)}`;
  const safe = encodeURIComponent(Array.isArray(value) ? text.slice(1, -1) : text);
  return safe.replaceAll("%2C", ",").replace(/[!'()*~]/g, code);
}

function fromAddress(text, like) {
  const plain = decodeURIComponent(text);
  if (typeof like === "string") return plain;
  return JSON.parse(Array.isArray(like) ? `[${plain}]` : plain);
}

// What a value in an address must be.
const numberFrom = (low, high) => (value) =>
  Number.isFinite(value) && within(value, low, high) === value;
const wholeFrom = (low, high) => (value) => Number.isInteger(value) && numberFrom(low, high)(value);
const numbersFrom = (least, most) => (value) =>
  Array.isArray(value) && value.length >= least && value.length <= most &&
  value.every(numberFrom(-1000, 1000));
const among = (values) => (value) => values.includes(value);

// The module of a widget, for Jupyter and for the host of the built pages.
//
// kind, label: its class, and what a reader calls it. checks: {key: (value, values) => ...}, the
// part of the state that a reader moves and that an address may name, and whether a value is one
// that can be shown. start(first, values): the state that an address with these values starts
// from. build(tools): makes the elements, once, and returns {parts, refresh}, and stop if there is
// something to stop. Its tools: get(key), change({key: value, ...}), both of the state; say(text),
// which speaks in `words`; note(text, input), which tells what became of an input; `words` and
// `notes`, to be put where they are read; and `frame`.
let made = 0;
function widget({ kind, label, checks, start = (first) => first, build }) {
  function render({ model, el }) {
    const { address } = model; // of the host; in Jupyter the page's address is not the widget's
    const keys = Object.keys(checks);
    const get = (key) => model.get(key);
    const change = (values) => {
      for (const [key, value] of Object.entries(values)) model.set(key, value);
      model.save_changes();
    };
    const state = () => Object.fromEntries(keys.map((key) => [key, get(key)]));
    const first = state();
    const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

    const words = readout();
    const notes = make("p", { class: "note", role: "status", id: `${kind}-note-${(made += 1)}` });
    function note(text, input) {
      notes.textContent = text;
      notes.classList.toggle("wrong", Boolean(input));
      input?.removeAttribute("aria-describedby");
      if (text) input?.setAttribute("aria-describedby", notes.id);
    }
    const frame = make("section", { class: `lstm-widget ${kind}`, "aria-label": label });
    const own = { get, change, say: words.say, words: words.element, note, notes, frame };
    const { parts, refresh, stop } = build(own);

    // What differs from the first state, as text: "step=2;b=-0.3,-6,0.1,0.3".
    function written() {
      const now = state();
      const base = start(first, now);
      const different = keys.filter((key) => !same(now[key], base[key]));
      return different.map((key) => `${key}=${toAddress(now[key])}`).join(";");
    }
    function restore(text) {
      try {
        const pairs = text.split(";").filter(Boolean).map((part) => part.split("=", 2));
        const given = pairs.map(([key, value]) => [key, fromAddress(value, first[key])]);
        const values = { ...start(first, Object.fromEntries(given)), ...Object.fromEntries(given) };
        const wrong = Object.keys(values).find((key) => !checks[key]?.(values[key], values));
        if (wrong) throw new RangeError(wrong);
        change(values);
      } catch {
        note("The address of this page names a state that there isn't here: it is left aside.");
      }
    }
    async function copy() {
      const link = address.link(written());
      // Only a page from a safe place may write to the clipboard.
      const copied = navigator.clipboard?.writeText(link).then(() => true, () => false);
      if (await copied) note("Copied: a link to this page, with everything as it is set here.");
      else note("The address of this page is the link: copy it from your browser's address bar.");
    }

    const end = make("span", { tabindex: -1 });
    const foot = group("This widget", button("Start again", () => change(first)));
    if (address) foot.append(button("Copy link", copy));
    const skip = button(`Skip the ${label.toLowerCase()}`, () => end.focus(), { class: "skip" });
    frame.append(skip, ...parts, foot, end);
    // A note is about the last thing that was done.
    for (const event of ["input", "click"]) frame.addEventListener(event, () => note(""), true);
    el.append(frame);

    // Once a frame, however fast a slider is dragged and however many values change together.
    let waiting = 0;
    let saving;
    const changed = () => {
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        refresh();
      });
      clearTimeout(saving);
      if (address) saving = setTimeout(() => address.set(written()), 250);
    };
    model.on("change", changed);
    refresh();
    if (address) address.listen(restore);
    return () => {
      cancelAnimationFrame(waiting);
      model.off("change", changed);
      stop?.();
    };
  }
  return { render };
}
