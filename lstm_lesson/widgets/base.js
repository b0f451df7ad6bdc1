// What every widget starts with; lstm_lesson/widgets/base.py puts it before the widget's own file.

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
