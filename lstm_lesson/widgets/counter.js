// Counter: a trained network reads a string; its cells, gates and predictions at every symbol, and
// what changes when some of them are held. State: networks, network, string, step, unit, what,
// holds. From counter.py: COUNTS, LONGEST and STARTS, a string of each network to start with.

const RANGES = { i: [0, 1], f: [0, 1], g: [-1, 1], o: [0, 1], c: [-20, 20], h: [-1, 1] };

// Every gate and state, lists of steps of units, and probabilities p of what comes next. The first
// step reads the end mark. Whatever depends on what is held is computed from what it is held at.
export function compute({ networks, network, string, holds }) {
  const { symbols, r: _, ...lists } = networks[network];
  const net = Object.fromEntries(Object.entries(lists).map(([name, rows]) => [name, rows.flat()]));
  const out = { i: [], f: [], g: [], o: [], c: [], h: [], p: [] };
  const none = new Float64Array(net.bias.length / 4);
  let state = { h: none, c: none };
  [2, ...Array.from(string, (symbol) => symbols.indexOf(symbol))].forEach((read, t) => {
    const now = holds.filter(({ start = 0, stop }) => start <= t && t < (stop ?? Infinity));
    const at = (what, k) => now.findLast((hold) => hold.what === what && hold.unit === k);
    state = lstmStep(net, read, state, (what, k, value) => at(what, k)?.value ?? value);
    const p = logSoftmax(affine(net.head_bias, net.head_weight, state.h)).map(Math.exp);
    for (const [name, values] of Object.entries({ ...state, p })) out[name]?.push([...values]);
  });
  return out;
}

// How many symbols are open after each step, the first included.
function depths(string, symbols) {
  let depth = 0;
  return [0, ...Array.from(string, (symbol) => (depth += symbol === symbols[0] ? 1 : -1))];
}

// The steps after the first at which the wrong one of closing and end is the likelier.
function mistakes(p, depth) {
  return depth.flatMap((d, t) => (t > 0 && p[t][1] > p[t][2] !== d > 0 ? [t] : []));
}

// ---- Rows of values over the steps, one above another, in the width of a phone ----

const LEFT = 84;
const WIDTH = 232;

function rows(pick) {
  const svg = draw("svg", { role: "img" });
  // Each of `all`: name, note, colour, values, plain (the same with nothing held, or null), bars
  // or a line, strong or pale, low, high.
  function update(all, current, height, words) {
    const steps = all[0].values.length;
    const width = WIDTH / steps;
    const x = (t) => LEFT + width * (t + 0.5);
    const parts = [];
    const total = all.length * height + 4;
    svg.setAttribute("viewBox", `0 0 320 ${total}`);
    svg.setAttribute("aria-label", words);
    const add = (tag, attributes, ...children) => parts.push(draw(tag, attributes, ...children));
    const now = { x: x(current) - width / 2, y: 1, width, height: total - 2, rx: 2 };
    add("rect", { ...now, fill: "var(--panel)", stroke: "var(--accent)" });
    all.forEach(({ name, note, colour, values, plain, bars, strong, pale, low, high }, n) => {
      const top = 2 + n * height;
      const share = (value) => (within(value, low, high) - low) / (high - low);
      const y = (value) => top + 3 + (height - 6) * (1 - share(value));
      const path = (list) => list.map((value, t) => `${t ? "L" : "M"}${x(t)} ${y(value)}`).join("");
      const middle = top + height / 2;
      const weight = { "font-size": 13, "font-weight": strong ? 700 : 400 };
      add("text", { x: 2, y: middle + (note ? -2 : 4), ...weight }, name);
      if (note) add("text", { x: 2, y: middle + 12, "font-size": 12.5 }, note);
      const zero = { x1: LEFT, x2: LEFT + WIDTH, y1: y(0), y2: y(0) };
      add("line", { ...zero, stroke: "var(--faint)" });
      const line = { fill: "none", stroke: colour, "stroke-width": strong ? 3 : 2 };
      if (!bars) add("path", { d: path(values), ...line, opacity: pale ? 0.5 : 1 });
      else
        values.forEach((value, t) => {
          const bar = { x: x(t) - width * 0.35, width: width * 0.7, fill: colour };
          add("rect", { ...bar, y: y(value), height: Math.max(0, y(0) - y(value)) });
        });
      const dashed = { fill: "none", stroke: "var(--ink)", "stroke-width": 1 };
      if (plain) add("path", { d: path(plain), ...dashed, "stroke-dasharray": "3 2" });
    });
    const touch = { x: LEFT, y: 0, width: WIDTH, height: total, fill: "transparent" };
    const target = draw("rect", touch);
    const names = draw("rect", { ...touch, x: 0, width: LEFT });
    const where = (event) => {
      const box = svg.getBoundingClientRect();
      const across = ((event.clientX - box.left) / box.width) * 320;
      const down = ((event.clientY - box.top) / box.height) * total;
      const place = (value, end) => within(Math.floor(value), 0, end - 1);
      return [place((across - LEFT) / width, steps), place((down - 2) / height, all.length)];
    };
    target.addEventListener("click", (event) => pick(...where(event)));
    names.addEventListener("click", (event) => pick(null, where(event)[1]));
    svg.replaceChildren(...parts, target, names);
  }
  return { element: svg, update };
}

function render({ model, el }) {
  const { get, change } = access(model);
  const symbols = () => get("networks")[get("network")].symbols;
  const words = readout();

  // What is read.
  const read = (string) => {
    if (string.length <= LONGEST) change({ string, step: string.length });
  };
  const choose = (network) => {
    const string = STARTS[network];
    change({ network, string, step: string.length, unit: 0, holds: [] });
  };
  const titles = Object.entries({ a_n_b_n: "aⁿbⁿ", brackets: "brackets" });
  const choices = titles.map(([name, title]) => [name, button(title, () => choose(name))]);
  const list = make("input", {
    type: "text", class: "string", "aria-label": "String to read", maxlength: LONGEST,
    autocomplete: "off", autocapitalize: "off", spellcheck: "false",
  });
  list.addEventListener("input", () => {
    const good = Array.from(list.value).every((symbol) => symbols().includes(symbol));
    if (good) {
      list.removeAttribute("aria-invalid");
      read(list.value);
    } else list.setAttribute("aria-invalid", "true");
  });
  list.addEventListener("change", () => {
    list.value = get("string");
    list.removeAttribute("aria-invalid");
  });
  const open = button("", () => read(get("string") + symbols()[0]));
  const close = button("", () => read(get("string") + symbols()[1]));
  const remove = button("Delete", () => read(get("string").slice(0, -1)), {
    "aria-label": "Delete the last symbol",
  });
  const tape = make("p", { class: "tape" });
  const go = (step) => change({ step: within(step, 0, get("string").length) });
  const back = button("← Previous", () => go(get("step") - 1));
  const next = button("Next →", () => go(get("step") + 1));

  // What is seen.
  const letters = LETTERS.map((what) => {
    const named = { class: `gate-${what}`, title: NAMES[what], "aria-label": NAMES[what] };
    return [what, button(sub(what, "t"), () => change({ what }), named)];
  });
  const pickCell = (step, unit) => change({ unit, ...(step === null ? {} : { step }) });
  const cells = rows(pickCell);
  const guesses = rows((step) => step !== null && go(step));
  const numbers = make("p", { class: "numbers" });

  // What is held.
  let value = 0;
  const unit = make("select", { "aria-label": "Unit" });
  unit.addEventListener("change", () => change({ unit: Number(unit.value) }));
  const what = make("select", { "aria-label": "What to hold" });
  for (const letter of LETTERS) what.append(make("option", { value: letter }, NAMES[letter]));
  what.addEventListener("change", () => change({ what: what.value }));
  const when = make("select", { "aria-label": "At which steps" });
  const spans = { all: "at all steps", on: "from this step on", now: "at this step only" };
  for (const [key, text] of Object.entries(spans))
    when.append(make("option", { value: key }, text));
  const fields = Object.fromEntries(
    LETTERS.map((letter) => {
      const [min, max] = RANGES[letter];
      const label = `value for the ${NAMES[letter]}`;
      return [letter, field({ label, caption: "value", min, max, step: 0.05, change: place })];
    })
  );
  const slider = make("div");
  const same = (hold) => hold.unit === get("unit") && hold.what === get("what");
  // Moving the slider holds at once; the button holds what is, where it is.
  function place(v) {
    const t = get("step");
    const [start, stop] = { all: [0, null], on: [t, null], now: [t, t + 1] }[when.value];
    const hold = { what: get("what"), unit: get("unit"), value: v, start, stop };
    value = v;
    change({ holds: [...get("holds").filter((other) => !same(other)), hold] });
  }
  when.addEventListener("change", () => get("holds").some(same) && place(value));
  const holdIt = button("Hold", () => place(value));
  const letGo = button("Let go of all", () => change({ holds: [] }));
  const held = make("ul", { class: "held", "aria-label": "Held now" });

  const legend = "Dashed: with nothing held. Bold: the unit chosen below.";
  const reads = make("label", { class: "reads" }, dim("Reads"), list);
  const drawn = group("What is drawn", ...letters.map(([, element]) => element));
  const predicted = make("p", { class: "dim" }, "What comes next");
  const frame = make(
    "section",
    { class: "lstm-widget counter", "aria-label": "Counter" },
    group("Network", dim("Network"), ...choices.map(([, element]) => element)),
    make("div", { class: "controls" }, reads, open, close, remove),
    tape,
    group("Steps", back, next),
    make(
      "div",
      { class: "two" },
      make("div", {}, drawn, cells.element),
      make("div", {}, predicted, guesses.element, numbers)
    ),
    make("p", { class: "dim key" }, legend),
    words.element,
    make(
      "fieldset",
      {},
      make("legend", {}, "Hold something"),
      make("div", { class: "controls" }, unit, what, when),
      slider,
      make("div", { class: "controls" }, holdIt, letGo),
      held
    )
  );
  el.append(frame);

  let shown = null; // what was last chosen to be held
  function refresh() {
    const state = ["networks", "network", "string", "holds"].map((name) => [name, get(name)]);
    const { networks, network, string, holds } = Object.fromEntries(state);
    const letter = get("what");
    const net = networks[network];
    const [opens, closes] = net.symbols;
    const step = Math.min(get("step"), string.length);
    const k = get("unit");
    const now = compute({ networks, network, string, holds });
    const plain = compute({ networks, network, string, holds: [] });
    const depth = depths(string, net.symbols);
    const wrong = mistakes(now.p, depth);
    const ghost = (values) => (holds.length ? values : null);

    for (const [name, element] of [...choices, ...letters])
      element.setAttribute("aria-pressed", String(name === network || name === letter));
    for (const [element, symbol] of [[open, opens], [close, closes]]) {
      element.textContent = symbol;
      element.setAttribute("aria-label", `Add ${symbol}`);
      element.disabled = string.length >= LONGEST;
    }
    remove.disabled = string.length === 0;
    if (document.activeElement !== list) list.value = string;
    back.disabled = step === 0;
    next.disabled = step === string.length;
    const tags = ["start ", ...string].map((symbol, t) =>
      make(t === step ? "mark" : "span", {}, symbol)
    );
    tape.replaceChildren(...tags);

    const column = (values, n) => values.map((at) => at[n]);
    const H = net.r.length;
    let [low, high] = RANGES[letter];
    if (letter === "c") {
      high = Math.max(1, ...[...now.c, ...plain.c].flat().map(Math.abs));
      low = -high;
    }
    const counting = net.r.map((r) => Math.abs(r) > COUNTS);
    const all = Array.from({ length: H }, (_, n) => ({
      name: `unit ${n}`,
      note: `${counting[n] ? "counts " : "r "}${show(net.r[n])}`,
      strong: n === k,
      pale: !counting[n] && n !== k,
      colour: `var(--fill-${letter})`,
      values: column(now[letter], n),
      plain: ghost(column(plain[letter], n)),
      low, high,
    }));
    const counters = counting.flatMap((yes, n) => (yes ? [n] : []));
    const several = counters.length > 1;
    const which = several ? `units ${counters.join(" and ")} count` : `unit ${counters[0]} counts`;
    const ends = all.map((row, n) => `unit ${n} ${show(row.values[step])}`).join(", ");
    cells.update(all, step, 40,
      `The ${NAMES[letter]} of ${H} units over ${string.length + 1} steps; ${which}. ` +
        `At step ${step}: ${ends}.`
    );

    const names = [opens, closes, "end"];
    const predicted = names.map((name, n) => ({
      name: `next ${name}`, bars: true, colour: "var(--accent)",
      values: column(now.p, n), plain: ghost(column(plain.p, n)), low: 0, high: 1,
    }));
    const count = {
      name: "depth", note: `now ${depth[step]}`, bars: true, colour: "var(--line)",
      values: depth, plain: null, low: Math.min(0, ...depth), high: Math.max(1, ...depth),
    };
    const p = now.p[step];
    const chances = (q) => names.map((name, n) => `${name} ${show(q[n])}`).join(", ");
    guesses.update([...predicted, count], step, 46,
      `Probability of what comes next, over the steps. At step ${step}: ${chances(p)}; ` +
        `depth ${depth[step]}.`
    );
    const free = holds.length ? ` (nothing held: ${chances(plain.p[step])})` : "";
    numbers.textContent = `next: ${chances(p)}${free}`;

    if (unit.options.length !== H)
      unit.replaceChildren(...all.map(({ name }, n) => make("option", { value: n }, name)));
    unit.value = String(k);
    what.value = letter;
    // Only if it is another: a slider that is put in again has lost the focus.
    const { element } = fields[letter];
    if (slider.firstChild !== element) slider.replaceChildren(element);
    const already = holds.find(same);
    const chosen = `${network} ${k} ${letter}`;
    value = already ? already.value : Number(now[letter][step][k].toFixed(2));
    if (already && shown !== chosen)
      when.value = already.stop != null ? "now" : already.start ? "on" : "all";
    shown = chosen;
    fields[letter].set(value);
    letGo.disabled = holds.length === 0;
    held.hidden = holds.length === 0;
    const at = ({ start = 0, stop = null }) =>
      stop !== null ? `at step ${start}` : start ? `from step ${start}` : "at all steps";
    held.replaceChildren(
      ...holds.map((hold, n) => {
        const name = `${NAMES[hold.what]} of unit ${hold.unit}`;
        const release = () => change({ holds: get("holds").filter((_, m) => m !== n) });
        const off = button("Let go", release, { "aria-label": `Let go of the ${name}` });
        return make("li", {}, `${name} at ${show(hold.value)} ${at(hold)} `, off);
      })
    );

    const legal = depth[step] > 0 ? closes : "end";
    const says = p[1] > p[2] ? closes : "end";
    const right = says === legal ? "right" : "wrong";
    const verdict = step && ` Of ${closes} and end, ${says} is the likelier: ${right}.`;
    const tally = (steps) =>
      steps.length === 0
        ? "right at every step"
        : `wrong at step${steps.length > 1 ? "s" : ""} ${steps.join(", ")}`;
    const whole = string && ` The string is predicted ${tally(wrong)}.`;
    const without = string && ghost(` With nothing held: ${tally(mistakes(plain.p, depth))}.`);
    words.say(
      `Step ${step} of ${string.length}, depth ${depth[step]}. ` +
        `The ${NAMES[letter]} of unit ${k} is ${show(now[letter][step][k])}.` +
        [verdict, whole, without].filter(Boolean).join("")
    );
  }
  model.on("change", refresh);
  refresh();
  return () => model.off("change", refresh);
}

export default { render };
