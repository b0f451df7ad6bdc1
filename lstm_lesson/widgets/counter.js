// Counter: a trained network reads a string; its cells, gates and predictions at every symbol, and
// what changes when some of them are held. State: networks, network, string, step, unit, what, holds.

const LETTERS = ["i", "f", "g", "o", "c", "h"];
const NAMES = {
  i: "input gate", f: "forget gate", g: "candidate",
  o: "output gate", c: "cell state", h: "hidden state",
};
const RANGES = { i: [0, 1], f: [0, 1], g: [-1, 1], o: [0, 1], c: [-20, 20], h: [-1, 1] };
const COUNTS = 0.9; // as in counter.py
const LONGEST = 40;

const sigmoid = (z) => (1 + Math.tanh(z / 2)) / 2;

// Every gate and state, lists of steps of units, and probabilities p of what comes next. The first
// step reads the end mark. Whatever depends on what is held is computed from what it is held at.
export function compute({ networks, network, string, holds }) {
  const net = networks[network];
  const H = net.bias.length / 4;
  const out = { i: [], f: [], g: [], o: [], c: [], h: [], p: [] };
  let h = new Array(H).fill(0);
  let c = new Array(H).fill(0);
  [2, ...Array.from(string, (symbol) => net.symbols.indexOf(symbol))].forEach((read, t) => {
    const held = holds.filter(({ start = 0, stop = null }) => start <= t && (stop === null || t < stop));
    const keep = (what, values) => {
      for (const hold of held) if (hold.what === what) values[hold.unit] = hold.value;
      return values;
    };
    const z = net.bias.map((b, row) =>
      net.weight_hh[row].reduce((sum, u, k) => sum + u * h[k], b + net.weight_ih[row][read])
    );
    const part = (n, activation) => z.slice(n * H, n * H + H).map(activation);
    const i = keep("i", part(0, sigmoid));
    const f = keep("f", part(1, sigmoid));
    const g = keep("g", part(2, Math.tanh));
    const o = keep("o", part(3, sigmoid));
    c = keep("c", c.map((before, k) => f[k] * before + i[k] * g[k]));
    h = keep("h", c.map((now, k) => o[k] * Math.tanh(now)));
    const logits = net.head_bias.map((b, row) =>
      net.head_weight[row].reduce((sum, w, k) => sum + w * h[k], b)
    );
    const largest = Math.max(...logits);
    const e = logits.map((y) => Math.exp(y - largest));
    const total = e.reduce((a, b) => a + b);
    const p = e.map((value) => value / total);
    for (const [key, values] of Object.entries({ i, f, g, o, c, h, p })) out[key].push([...values]);
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
  // Each of `all`: name, note, colour, values, plain (the same with nothing held, or null), low, high.
  function update(all, current, height, words) {
    const steps = all[0].values.length;
    const width = WIDTH / steps;
    const x = (t) => LEFT + width * (t + 0.5);
    const parts = [];
    const total = all.length * height + 4;
    svg.setAttribute("viewBox", `0 0 320 ${total}`);
    svg.setAttribute("aria-label", words);
    parts.push(
      draw("rect", { x: x(current) - width / 2, y: 1, width, height: total - 2, rx: 2, fill: "var(--panel)", stroke: "var(--accent)" })
    );
    all.forEach((row, n) => {
      const top = 2 + n * height;
      const y = (value) => top + 3 + (height - 6) * (1 - (Math.min(row.high, Math.max(row.low, value)) - row.low) / (row.high - row.low));
      const path = (values) => values.map((value, t) => `${t ? "L" : "M"}${x(t)} ${y(value)}`).join("");
      const name = { x: 2, y: top + height / 2 + (row.note ? -2 : 4), "font-size": 13, "font-weight": row.strong ? 700 : 400 };
      parts.push(draw("text", name, row.name));
      if (row.note) parts.push(draw("text", { x: 2, y: top + height / 2 + 12, "font-size": 12.5 }, row.note));
      parts.push(draw("line", { x1: LEFT, x2: LEFT + WIDTH, y1: y(0), y2: y(0), stroke: "var(--faint)" }));
      if (row.bars)
        row.values.forEach((value, t) =>
          parts.push(draw("rect", { x: x(t) - width * 0.35, width: width * 0.7, y: y(value), height: Math.max(0, y(0) - y(value)), fill: row.colour }))
        );
      else parts.push(draw("path", { d: path(row.values), fill: "none", stroke: row.colour, "stroke-width": row.strong ? 3 : 2, opacity: row.pale ? 0.5 : 1 }));
      if (row.plain)
        parts.push(draw("path", { d: path(row.plain), fill: "none", stroke: "var(--ink)", "stroke-width": 1, "stroke-dasharray": "3 2" }));
    });
    const touch = { x: LEFT, y: 0, width: WIDTH, height: total, fill: "transparent" };
    const target = draw("rect", touch);
    const names = draw("rect", { ...touch, x: 0, width: LEFT });
    const where = (event) => {
      const box = svg.getBoundingClientRect();
      const across = ((event.clientX - box.left) / box.width) * 320;
      const down = ((event.clientY - box.top) / box.height) * total;
      const within = (value, end) => Math.min(end - 1, Math.max(0, Math.floor(value)));
      return [within((across - LEFT) / width, steps), within((down - 2) / height, all.length)];
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
  const button = (text, onclick, more = {}) => make("button", { type: "button", onclick, ...more }, text);
  const group = (label, ...children) => make("div", { class: "controls", role: "group", "aria-label": label }, ...children);
  const dim = (text) => make("span", { class: "dim", "aria-hidden": "true" }, text);
  const words = readout();

  // What is read.
  const read = (string) => {
    if (string.length <= LONGEST) change({ string, step: string.length });
  };
  const start = { a_n_b_n: "aaaaaabbbbbb", brackets: "(()(()))" };
  const choices = Object.entries({ a_n_b_n: "aⁿbⁿ", brackets: "brackets" }).map(([name, text]) => [
    name,
    button(text, () => change({ network: name, string: start[name], step: start[name].length, unit: 0, holds: [] })),
  ]);
  const list = make("input", {
    type: "text", class: "string", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    "aria-label": "String to read", maxlength: LONGEST,
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
  const remove = button("Delete", () => read(get("string").slice(0, -1)), { "aria-label": "Delete the last symbol" });
  const tape = make("p", { class: "tape" });
  const go = (step) => change({ step: Math.min(get("string").length, Math.max(0, step)) });
  const back = button("← Previous", () => go(get("step") - 1));
  const next = button("Next →", () => go(get("step") + 1));

  // What is seen.
  const letters = LETTERS.map((what) => [
    what,
    button("", () => change({ what }), { class: `gate-${what}`, title: NAMES[what], "aria-label": NAMES[what] }),
  ]);
  for (const [what, element] of letters) element.append(make("em", {}, what), make("sub", {}, "t"));
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
  for (const [key, text] of [["all", "at all steps"], ["on", "from this step on"], ["now", "at this step only"]])
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
    const steps = { all: { start: 0, stop: null }, on: { start: t, stop: null }, now: { start: t, stop: t + 1 } }[when.value];
    value = v;
    change({ holds: [...get("holds").filter((hold) => !same(hold)), { what: get("what"), unit: get("unit"), value: v, ...steps }] });
  }
  when.addEventListener("change", () => get("holds").some(same) && place(value));
  const holdIt = button("Hold", () => place(value));
  const letGo = button("Let go of all", () => change({ holds: [] }));
  const held = make("ul", { class: "held", "aria-label": "Held now" });

  const key = make("p", { class: "dim key" }, "Dashed: with nothing held. Bold: the unit chosen below.");
  const frame = make(
    "section",
    { class: "lstm-widget counter", "aria-label": "Counter" },
    group("Network", dim("Network"), ...choices.map(([, element]) => element)),
    make("div", { class: "controls" }, make("label", { class: "reads" }, make("span", { class: "dim" }, "Reads"), list), open, close, remove),
    tape,
    group("Steps", back, next),
    make(
      "div",
      { class: "two" },
      make("div", {}, group("What is drawn", ...letters.map(([, element]) => element)), cells.element),
      make("div", {}, make("p", { class: "dim" }, "What comes next"), guesses.element, numbers)
    ),
    key,
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
    const [networks, network, string, holds, letter] = ["networks", "network", "string", "holds", "what"].map(get);
    const net = networks[network];
    const [opens, closes] = net.symbols;
    const step = Math.min(get("step"), string.length);
    const k = get("unit");
    const now = compute({ networks, network, string, holds });
    const plain = compute({ networks, network, string, holds: [] });
    const depth = depths(string, net.symbols);
    const wrong = mistakes(now.p, depth);
    const ghost = (values) => (holds.length ? values : null);

    for (const [name, element] of choices) element.setAttribute("aria-pressed", String(name === network));
    for (const [what_, element] of letters) element.setAttribute("aria-pressed", String(what_ === letter));
    for (const [element, symbol] of [[open, opens], [close, closes]]) {
      element.textContent = symbol;
      element.setAttribute("aria-label", `Add ${symbol}`);
      element.disabled = string.length >= LONGEST;
    }
    remove.disabled = string.length === 0;
    if (document.activeElement !== list) list.value = string;
    back.disabled = step === 0;
    next.disabled = step === string.length;
    const marked = (t) => make(t === step ? "mark" : "span", {}, t === 0 ? "start " : string[t - 1]);
    tape.replaceChildren(...Array.from({ length: string.length + 1 }, (_, t) => marked(t)));

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
    const which = counters.length > 1 ? `units ${counters.join(" and ")} count` : `unit ${counters[0]} counts`;
    const ends = all.map((row, n) => `unit ${n} ${show(row.values[step])}`).join(", ");
    cells.update(all, step, 40, `The ${NAMES[letter]} of ${H} units over ${string.length + 1} steps; ${which}. At step ${step}: ${ends}.`);

    const names = [opens, closes, "end"];
    const most = Math.max(1, ...depth);
    const predicted = names.map((name, n) => ({
      name: `next ${name}`, bars: true, colour: "var(--accent)",
      values: column(now.p, n), plain: ghost(column(plain.p, n)), low: 0, high: 1,
    }));
    const open_ = { name: "depth", note: `now ${depth[step]}`, bars: true, colour: "var(--line)", values: depth, plain: null, low: Math.min(0, ...depth), high: most };
    const p = now.p[step];
    const chances = (q) => names.map((name, n) => `${name} ${show(q[n])}`).join(", ");
    guesses.update([...predicted, open_], step, 46, `Probability of what comes next, over the steps. At step ${step}: ${chances(p)}; depth ${depth[step]}.`);
    numbers.textContent = `next: ${chances(p)}` + (holds.length ? ` (nothing held: ${chances(plain.p[step])})` : "");

    if (unit.options.length !== H)
      unit.replaceChildren(...Array.from({ length: H }, (_, n) => make("option", { value: n }, `unit ${n}`)));
    unit.value = String(k);
    what.value = letter;
    // Only if it is another: a slider that is put in again has lost the focus.
    if (slider.firstChild !== fields[letter].element) slider.replaceChildren(fields[letter].element);
    const already = holds.find(same);
    const chosen = `${network} ${k} ${letter}`;
    value = already ? already.value : Number(now[letter][step][k].toFixed(2));
    if (already && shown !== chosen) when.value = already.stop != null ? "now" : already.start ? "on" : "all";
    shown = chosen;
    fields[letter].set(value);
    letGo.disabled = holds.length === 0;
    held.hidden = holds.length === 0;
    const at = ({ start = 0, stop = null }) => (stop !== null ? `at step ${start}` : start ? `from step ${start}` : "at all steps");
    held.replaceChildren(
      ...holds.map((hold, n) =>
        make("li", {}, `${NAMES[hold.what]} of unit ${hold.unit} at ${show(hold.value)} ${at(hold)} `,
          button("Let go", () => change({ holds: get("holds").filter((_, m) => m !== n) }),
            { "aria-label": `Let go of the ${NAMES[hold.what]} of unit ${hold.unit}` }))
      )
    );

    const legal = depth[step] > 0 ? closes : "end";
    const says = p[1] > p[2] ? closes : "end";
    const verdict = step === 0 ? "" : ` Of ${closes} and end, ${says} is the likelier: ${says === legal ? "right" : "wrong"}.`;
    const tally = (steps) => (steps.length ? `wrong at step ${steps.join(", ")}` : "right at every step");
    words.say(
      `Step ${step} of ${string.length}, depth ${depth[step]}. The ${NAMES[letter]} of unit ${k} is ${show(now[letter][step][k])}.` +
        `${verdict}${string.length ? ` The string is predicted ${tally(wrong)}.` : ""}` +
        (holds.length && string.length ? ` With nothing held: ${tally(mistakes(plain.p, depth))}.` : "")
    );
  }
  model.on("change", refresh);
  refresh();
  return () => model.off("change", refresh);
}

export default { render };
