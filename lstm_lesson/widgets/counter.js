// Counter: a trained network reads a string; its cells, gates and predictions at every symbol, and
// what changes when some of them are held. State: networks, network, string, step, unit, what,
// holds. From counter.py: COUNTS, LONGEST, UNITS, and by network SYMBOLS and STARTS, a string to
// start with.

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

// The symbols in a text that a network knows, and what is to be said of the rest.
function readString(text, symbols) {
  const all = Array.from(text);
  const known = all.filter((symbol) => symbols.includes(symbol));
  const value = known.slice(0, LONGEST).join("");
  const reasons = [
    known.length < all.length && `this network knows only ${symbols[0]} and ${symbols[1]}`,
    known.length > LONGEST && `there is room for ${LONGEST}`,
  ];
  const said = `${value.length} of ${all.length.toLocaleString("en")} characters read; `;
  const why = reasons.filter(Boolean).join(", and ");
  return { value, said: why && `${said}${why}.` };
}

// A hold of an address.
const holdable = ({ what, unit, value, start, stop }) =>
  LETTERS.includes(what) && wholeFrom(0, UNITS - 1)(unit) && numberFrom(-1000, 1000)(value) &&
  wholeFrom(0, LONGEST)(start) && (stop === null || wholeFrom(start, 1000)(stop));

export default widget({
  kind: "counter",
  label: "Counter",
  checks: {
    network: among(Object.keys(STARTS)),
    string: (text, { network }) => text === readString(text, SYMBOLS[network] ?? "").value,
    step: wholeFrom(0, LONGEST),
    unit: wholeFrom(0, UNITS - 1),
    what: among(LETTERS),
    holds: (holds) => Array.isArray(holds) && holds.every((hold) => hold && holdable(hold)),
  },
  build({ get, change, say, words, note, notes }) {
    const symbols = () => SYMBOLS[get("network")];

    // What is read.
    const read = (string) => change({ string, step: string.length });
    const choose = (network) => {
      const string = STARTS[network];
      change({ network, string, step: string.length, unit: 0, holds: [] });
    };
    const networks = choices("Network", [["a_n_b_n", "aⁿbⁿ"], ["brackets", "brackets"]], choose);
    const typed = make("input", {
      type: "text", class: "string", "aria-label": "String to read",
      autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    });
    const list = entry(typed, { read: (text) => readString(text, symbols()), change: read, note });
    const add = [0, 1].map((n) => button("", () => read(get("string") + symbols()[n])));
    const removing = { "aria-label": "Delete the last symbol" };
    const remove = button("Delete", () => read(get("string").slice(0, -1)), removing);
    const tape = make("p", { class: "tape" });
    const go = (step) => change({ step: within(step, 0, get("string").length) });
    const back = button("← Previous", () => go(get("step") - 1));
    const next = button("Next →", () => go(get("step") + 1));

    // What is seen.
    const letters = choices("What is drawn", LETTERS.map((what) => {
      const look = { class: `gate-${what}`, title: NAMES[what], "aria-label": NAMES[what] };
      return [what, sub(what, "t"), look];
    }), (what) => change({ what }));
    const cells = rows((step, unit) => change({ unit, ...(step === null ? {} : { step }) }));
    const guesses = rows((step) => step !== null && go(step));
    const numbers = make("p", { class: "numbers" });

    // What is held.
    let value = 0;
    const units = Array.from({ length: UNITS }, (_, n) => [n, `unit ${n}`]);
    const unit = select("Unit", units, (n) => change({ unit: n }), Number);
    const quantities = LETTERS.map((letter) => [letter, NAMES[letter]]);
    const what = select("What to hold", quantities, (letter) => change({ what: letter }));
    const spans = { all: "at all steps", on: "from this step on", now: "at this step only" };
    const when = select("At which steps", Object.entries(spans), () =>
      get("holds").some(same) && place(value)
    );
    const fields = LETTERS.map((letter) => {
      const [min, max] = RANGES[letter];
      const label = `value for the ${NAMES[letter]}`;
      const range = { min, max, low: min, high: max, step: 0.05 };
      return [letter, field({ label, caption: "value", ...range, change: place, note })];
    });
    const same = (hold) => hold.unit === get("unit") && hold.what === get("what");
    // Moving the slider holds at once; the button holds what is, where it is.
    function place(v) {
      const t = get("step");
      const [start, stop] = { all: [0, null], on: [t, null], now: [t, t + 1] }[when.list.value];
      const hold = { what: get("what"), unit: get("unit"), value: v, start, stop };
      value = v;
      change({ holds: [...get("holds").filter((other) => !same(other)), hold] });
    }
    const letGo = button("Let go of all", () => change({ holds: [] }));
    const held = make("ul", { class: "held", "aria-label": "Held now" });

    const legend = "Dashed: with nothing held. Bold: the unit that is chosen. " +
      "Tap or click a chart to choose a step and a unit.";
    const reads = make("label", { class: "controls wide reads" }, dim("Reads"), list.element);
    const parts = [
      networks.element,
      make("div", { class: "controls" }, reads, ...add, remove),
      notes,
      make("div", { class: "controls" }, back, next, tape),
      make("div", { class: "two" },
        make("div", {}, letters.element, cells.element),
        make("fieldset", {},
          make("legend", {}, "Hold something"),
          make("div", { class: "controls" }, unit.element, what.element, when.element),
          ...fields.map(([, { element }]) => element),
          group("Hold", button("Hold", () => place(value)), letGo),
          held),
        make("div", {}, make("p", { class: "dim" }, "What comes next"), guesses.element, numbers)),
      words,
      make("p", { class: "dim key" }, legend),
    ];

    let shown = null; // what was last chosen to be held
    function refresh() {
      const state = ["networks", "network", "string", "holds"].map((name) => [name, get(name)]);
      const { networks: nets, network, string, holds } = Object.fromEntries(state);
      const letter = get("what");
      const net = nets[network];
      const [opens, closes] = net.symbols;
      const step = Math.min(get("step"), string.length);
      const k = get("unit");
      const now = compute({ networks: nets, network, string, holds });
      const plain = compute({ networks: nets, network, string, holds: [] });
      const depth = depths(string, net.symbols);
      const wrong = mistakes(now.p, depth);
      const ghost = (values) => (holds.length ? values : null);

      networks.set(network);
      letters.set(letter);
      add.forEach((element, n) => {
        element.textContent = net.symbols[n];
        element.setAttribute("aria-label", `Add ${net.symbols[n]}`);
        element.disabled = string.length >= LONGEST;
      });
      remove.disabled = string.length === 0;
      list.set(string);
      back.disabled = step === 0;
      next.disabled = step === string.length;
      const tags = ["start ", ...string].map((symbol, t) =>
        make(t === step ? "mark" : "span", {}, symbol)
      );
      tape.replaceChildren(...tags);

      const column = (values, n) => values.map((at) => at[n]);
      let [low, high] = RANGES[letter];
      if (letter === "c") {
        high = Math.max(1, ...[...now.c, ...plain.c].flat().map(Math.abs));
        low = -high;
      }
      const counting = net.r.map((r) => Math.abs(r) > COUNTS);
      const all = units.map(([n, name]) => ({
        name,
        note: `${counting[n] ? "counts " : "r "}${show(net.r[n])}`,
        strong: n === k,
        pale: !counting[n] && n !== k,
        colour: `var(--fill-${letter})`,
        values: column(now[letter], n),
        plain: ghost(column(plain[letter], n)),
        low, high,
      }));
      const counters = counting.flatMap((yes, n) => (yes ? [n] : []));
      const which =
        counters.length > 1 ? `units ${counters.join(" and ")} count` : `unit ${counters} counts`;
      const ends = all.map((row, n) => `unit ${n} ${show(row.values[step])}`).join(", ");
      cells.update(all, step, 34,
        `The ${NAMES[letter]} of ${UNITS} units over ${string.length + 1} steps; ${which}. ` +
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
      guesses.update([...predicted, count], step, 40,
        `Probability of what comes next, over the steps. At step ${step}: ${chances(p)}; ` +
          `depth ${depth[step]}.`
      );
      const free = holds.length ? ` (nothing held: ${chances(plain.p[step])})` : "";
      numbers.textContent = `next: ${chances(p)}${free}`;

      unit.set(k);
      what.set(letter);
      const already = holds.find(same);
      const chosen = `${network} ${k} ${letter}`;
      value = already ? already.value : Number(now[letter][step][k].toFixed(2));
      if (already && shown !== chosen)
        when.set(already.stop != null ? "now" : already.start ? "on" : "all");
      shown = chosen;
      for (const [name, { element, set }] of fields) {
        element.hidden = name !== letter;
        if (name === letter) set(value);
      }
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
      const start = `Step 0 reads the mark with which every string starts: add ${opens} to it.`;
      const verdict = step
        ? ` Of ${closes} and end, ${says} is the likelier: ${right}.`
        : string === "" && ` ${start}`;
      const tally = (steps) =>
        steps.length === 0
          ? "right at every step"
          : `wrong at step${steps.length > 1 ? "s" : ""} ${steps.join(", ")}`;
      const whole = string && ` The string is predicted ${tally(wrong)}.`;
      const without = string && ghost(` With nothing held: ${tally(mistakes(plain.p, depth))}.`);
      say(
        `Step ${step} of ${string.length}, depth ${depth[step]}. ` +
          `The ${NAMES[letter]} of unit ${k} is ${show(now[letter][step][k])}.` +
          [verdict, whole, without].filter(Boolean).join("")
      );
    }
    return { parts, refresh };
  },
});
