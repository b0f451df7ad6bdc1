// Reader: the trained character model on any text. State: text, gate ("i" ... "h"), sort, unit,
// cursor, shown, and weights, {name: {shape, rows, scale}}: 8-bit rows and a scale each, in base64.
// From reader.py: ALPHABET, PROPERTIES, UNITS, UNSORTED and MOST.

const PLACES = new Map([...ALPHABET].map((character, place) => [character, place]));

// Line ends and tabs as the model knows them; reader.py does the same.
const plain = (text) => text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ");

// What isn't in the alphabet reads as a question mark. A character is a code point here, as in
// Python, not a unit of UTF-16.
const known = (text) =>
  Array.from(plain(text), (character) => (PLACES.has(character) ? character : "?"));

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

// Numbers of a weight from its rows; kept, for the weights of a widget never change.
const decoded = new Map();
function decode({ shape, rows, scale }) {
  if (!decoded.has(rows)) {
    const whole = new Int8Array(bytes(rows).buffer);
    const scales = new DataView(bytes(scale).buffer);
    const row = (n) => Math.floor(n / shape[1]);
    const values = Float64Array.from(whole, (w, n) => w * scales.getFloat32(4 * row(n), true));
    if (decoded.size > 20) decoded.clear();
    decoded.set(rows, values);
  }
  return decoded.get(rows);
}

// Gates and states at every character, from a zero state, and the scores of the next: rows (H) and
// (V). What the text before had at its beginning is taken over: typing at the end costs one step.
let lastRun = { characters: [], gates: null, logits: [], bias: "" };
function read(characters, weights) {
  const net = Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, decode(w)]));
  let same = 0;
  if (lastRun.bias === weights.bias.rows)
    while (same < characters.length && characters[same] === lastRun.characters[same]) same++;
  const gates = {};
  for (const name of LETTERS) gates[name] = same ? lastRun.gates[name].slice(0, same) : [];
  const logits = lastRun.logits.slice(0, same);
  const none = new Float64Array(net.bias.length / 4);
  let state = { h: gates.h[same - 1] ?? none, c: gates.c[same - 1] ?? none };
  for (const character of characters.slice(same)) {
    state = lstmStep(net, PLACES.get(character), state);
    for (const name of LETTERS) gates[name].push(state[name]);
    logits.push(affine(net.head_bias, net.head_weight, state.h));
  }
  lastRun = { characters, gates, logits, bias: weights.bias.rows };
  return lastRun;
}

// What can be counted of each character, as properties of lstm_lesson.pretrained.characters.
function properties(characters) {
  const found = Object.fromEntries(PROPERTIES.map((name) => [name, []]));
  const count = (marks, character) => (marks.includes(character) ? 1 : 0);
  const startsWith = (text, n) => characters.slice(n, n + text.length).join("") === text;
  let [line, indent, word, depth, quote, comment, skip, blank] = [0, 0, 0, 0, "", false, 0, true];
  characters.forEach((character, n) => {
    let inside = quote !== "" || skip > 0;
    if (skip) skip -= 1;
    else if (quote) {
      if (character === "\\") skip = 1;
      else if (startsWith(quote, n)) [skip, quote] = [quote.length - 1, ""];
      else if (character === "\n" && quote.length === 1) quote = "";
    } else if (!comment && (character === '"' || character === "'")) {
      quote = startsWith(character.repeat(3), n) ? character.repeat(3) : character;
      [skip, inside] = [quote.length - 1, true];
    } else if (!comment && character === "#") comment = true;
    else if (!comment) {
      const change = count("([{", character) - count(")]}", character);
      depth = Math.max(0, depth + change);
    }
    comment = comment && character !== "\n";
    line = character === "\n" ? 0 : line + 1;
    blank = character === "\n" || (blank && character === " ");
    if (blank) indent = line;
    word = /[A-Za-z0-9_]/.test(character) ? word + 1 : 0;
    [line, indent, depth, +inside, +comment, word, count(" \n", character)].forEach((value, k) =>
      found[PROPERTIES[k]].push(value)
    );
  });
  return found;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function correlation(a, b) {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let t = 0; t < a.length; t++) {
    ab += (a[t] - meanA) * (b[t] - meanB);
    aa += (a[t] - meanA) ** 2;
    bb += (b[t] - meanB) ** 2;
  }
  const spread = Math.sqrt((aa / a.length) * (bb / a.length));
  return spread > 1e-12 ? ab / a.length / spread : 0;
}

// Everything that is shown, as Reader.compute() of reader.py.
export function compute({ text, gate, sort, cursor, weights }) {
  const characters = known(text);
  const { gates, logits } = read(characters, weights);
  const order = Array.from(gates.i[0], (_, k) => k);
  let scores = order.map(() => 0);
  if (sort !== UNSORTED) {
    const tracked = properties(characters)[sort];
    scores = order.map((k) => correlation(gates[gate].map((row) => row[k]), tracked));
    order.sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a]) || a - b);
  }
  const logP = logits.map(logSoftmax);
  const surprise = characters.map((character, t) => (t ? -logP[t - 1][PLACES.get(character)] : 0));
  const here = logP[Math.min(cursor, characters.length - 1)];
  const best = Array.from(here, (_, k) => k).sort((a, b) => here[b] - here[a] || a - b);
  const guesses = best.slice(0, 5).map((k) => [ALPHABET[k], Math.exp(here[k])]);
  return { gates, scores, order, guesses, surprise };
}

// ---- What is seen ----

const LINE = 58; // heights in pixels: of the line that follows a unit,
const SURPRISE = 14; // of the bars below it,
const LETTER = 18; // of the text;
const CELL = 9; // and the width of a character
const HEIGHTS = { 16: 10, 32: 8, 64: 5, 128: 4 }; // units shown: pixels a unit

const visible = (character) => ({ "\n": "⏎", " ": "·" })[character] ?? character;
const spoken = (character) => ({ "\n": "line end", " ": "space" })[character] ?? character;

// A colour of the style sheet as red, green, blue.
function colour(element, name) {
  const probe = make("span", { hidden: true, style: `color: var(${name})` });
  element.append(probe);
  const found = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  probe.remove();
  return found;
}

const mixed = (a, b, share) => a.map((value, n) => value + share * (b[n] - value));
const css = (rgb, alpha = 1) => `rgba(${rgb.map(Math.round).join(",")},${alpha})`;

function paint(canvas, frame, { characters, found, gate, unit, cursor, shown }) {
  if (!frame.isConnected) return; // not on the page yet, and so without its colours
  const [T, height] = [characters.length, HEIGHTS[shown]];
  const top = LINE + SURPRISE + LETTER;
  const units = found.order.slice(0, shown);
  const [width, tall] = [T * CELL, top + units.length * height];
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  canvas.width = width * ratio;
  canvas.height = tall * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${tall}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const names = ["--ink", "--dim", "--paper", "--accent", `--fill-${gate}`];
  const [ink, dim, paper, accent, fill] = names.map((name) => colour(frame, name));
  const closed = "ifo".includes(gate);
  const values = found.gates[gate];
  const largest = (k) => Math.max(1e-9, ...values.map((row) => Math.abs(row[k])));

  // The heat map, a pixel a value, then blown up.
  const image = new ImageData(T, units.length);
  units.forEach((k, row) => {
    const scale = closed ? 1 : largest(k);
    for (let t = 0; t < T; t++) {
      const value = values[t][k] / scale;
      const rgb = mixed(paper, value >= 0 ? fill : ink, Math.abs(value));
      image.data.set([...rgb.map(Math.round), 255], 4 * (row * T + t));
    }
  });
  const small = make("canvas", { width: T, height: units.length });
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, top, width, units.length * height);

  // The unit that is followed, as a line.
  const scale = closed ? 1 : largest(unit);
  const [floor, room] = closed ? [LINE - 4, LINE - 8] : [LINE / 2, LINE / 2 - 4];
  const y = (value) => floor - (value / scale) * room;
  context.strokeStyle = css(dim, 0.6);
  context.beginPath();
  context.moveTo(0, y(0));
  context.lineTo(width, y(0));
  context.stroke();
  context.strokeStyle = css(fill);
  context.lineWidth = 2;
  context.beginPath();
  for (let t = 0; t < T; t++) {
    context.lineTo(t * CELL, y(values[t][unit]));
    context.lineTo((t + 1) * CELL, y(values[t][unit]));
  }
  context.stroke();

  // How surprised the model was, and the text.
  context.fillStyle = css(dim, 0.7);
  found.surprise.forEach((nats, t) => {
    const bar = Math.min(1, nats / 6) * SURPRISE;
    context.fillRect(t * CELL + 1.5, LINE + SURPRISE - bar, CELL - 3, bar);
  });
  context.font = "13px ui-monospace, Menlo, Consolas, monospace";
  context.textAlign = "center";
  characters.forEach((character, t) => {
    context.fillStyle = css(" \n".includes(character) ? dim : ink);
    context.fillText(visible(character), (t + 0.5) * CELL, LINE + SURPRISE + 13);
  });

  // Where the reader is.
  context.lineWidth = 1.5;
  context.strokeStyle = css(accent);
  context.strokeRect(cursor * CELL + 0.5, 1, CELL - 1, tall - 2);
  const place = units.indexOf(unit);
  if (place >= 0) context.strokeRect(1, top + place * height - 0.5, width - 2, height + 1);
}

// What the model reads of a text, as much as there is room for, and what is to be said of the rest.
function readText(text) {
  const all = Array.from(plain(text));
  const kept = all.slice(0, MOST);
  const strange = kept.filter((character) => !PLACES.has(character)).length;
  const count = (n) => (n === 1 ? "1 character" : `${n.toLocaleString("en")} characters`);
  const which = strange === 1 ? "doesn't know is" : "doesn't know are";
  const said = [
    kept.length < all.length && `${MOST} of ${count(all.length)} read`,
    strange && `${count(strange)} that the model ${which} read as ?`,
  ];
  const whole = said.filter(Boolean).join("; ");
  return { text: kept.join(""), said: whole && `${whole}.` };
}

export default widget({
  kind: "reader",
  label: "Reader of a trained network",
  checks: {
    text: (text) => text !== "" && text === readText(text).text,
    gate: among(LETTERS), sort: among([...PROPERTIES, UNSORTED]), unit: wholeFrom(0, UNITS - 1),
    cursor: wholeFrom(0, MOST - 1), shown: among(Object.keys(HEIGHTS).map(Number)),
  },
  build({ get, change, say, words, note, notes, frame }) {
    const typed = make("textarea", {
      "aria-label": "Text to read", rows: 6,
      spellcheck: "false", autocapitalize: "off", autocomplete: "off",
    });
    const area = make("label", { class: "typed" }, dim(`Text, up to ${MOST} characters`), typed);
    // Before the caret stands the character that the model has just read.
    const before = () => Array.from(plain(typed.value.slice(0, typed.selectionStart)));
    const caret = () => Math.max(0, before().length - 1);
    typed.addEventListener("input", () => {
      // Of what is typed or pasted, as much as there is room for. A maxlength would count an emoji
      // twice.
      const after = Array.from(plain(typed.value.slice(typed.selectionStart)));
      const start = before().slice(0, Math.max(0, MOST - after.length)).join("");
      const { said } = readText(typed.value);
      const { text } = readText(start + after.join(""));
      if (text !== typed.value) {
        typed.value = text;
        typed.setSelectionRange(start.length, start.length);
      }
      results.hidden = text === "";
      typed.toggleAttribute("aria-invalid", false);
      if (said || text === "") typed.setAttribute("aria-invalid", "true");
      note(text === "" ? "The model has nothing to read: type or paste some text." : said, typed);
      if (text !== "") change({ text, cursor: caret() });
    });
    // A field that is left empty goes back to the text that was read last.
    typed.addEventListener("change", () => {
      typed.removeAttribute("aria-invalid");
      results.hidden = false;
      typed.value = get("text");
    });
    const follow = () => {
      if (get("text") === typed.value && caret() !== get("cursor")) change({ cursor: caret() });
    };
    typed.addEventListener("click", follow);
    typed.addEventListener("keyup", follow);

    const setting = (label, key, options, read) =>
      select(label, options, (value) => change({ [key]: value }), read);
    const gate = setting("Show", "gate", LETTERS.map((key) => [key, `${NAMES[key]} ${key}`]));
    const sort = setting("Sort units by", "sort", [...PROPERTIES, UNSORTED].map((by) => [by, by]));
    const counts = Object.keys(HEIGHTS).map((n) => [n, n]);
    const shown = setting("Units shown", "shown", counts, Number);
    const unit = setting("Follow unit", "unit", [], Number);
    const selects = [gate, sort, shown, unit].map(({ element }) => element);

    const canvas = make("canvas", { role: "img" });
    const help =
      "Tap or click the map to look at a character and a unit. Left and right arrow keys move " +
      "along the text, up and down arrow keys from unit to unit.";
    const named = { role: "group", "aria-label": `Map of units and characters. ${help}` };
    const map = make("div", { class: "map", tabindex: 0, ...named }, canvas);
    const legend = make("p", { class: "legend dim" });
    const list = make("ol", { class: "guesses", "aria-label": "Likeliest next characters" });
    const caption = make("p", { class: "caption" });
    const controls = make("div", { class: "controls" }, ...selects);
    const guesses = make("div", {}, caption, list);
    const two = make("div", { class: "two" }, words, guesses);
    const results = make("div", {}, map, controls, two, legend);
    const parts = [area, notes, results];

    let state = null; // what is on the screen
    function refresh() {
      const keys = ["text", "gate", "sort", "cursor", "unit", "shown", "weights"];
      const values = Object.fromEntries(keys.map((key) => [key, get(key)]));
      const found = compute(values);
      const characters = known(values.text);
      const cursor = Math.min(values.cursor, characters.length - 1);
      state = { ...values, characters, found, cursor };
      if (document.activeElement !== typed) typed.value = values.text;
      gate.set(values.gate);
      sort.set(values.sort);
      shown.set(values.shown);
      const r = (k) => (values.sort === UNSORTED ? "" : ` (${show(found.scores[k])})`);
      unit.fill(found.order.map((k) => [k, `${k}${r(k)}`]));
      unit.set(values.unit);
      paint(canvas, frame, state);
      const name = NAMES[values.gate];
      const number = found.gates[values.gate][cursor][values.unit];
      canvas.setAttribute(
        "aria-label",
        `${name} of the first ${Math.min(values.shown, UNITS)} units at each of ` +
          `${characters.length} characters, and of unit ${values.unit} as a line. ` +
          "The line below says the value at the cursor."
      );
      const scales = "ifo".includes(values.gate)
        ? "Pale: 0, full colour: 1."
        : "Coloured: above zero, grey: below; each unit on its own scale.";
      legend.textContent =
        `${scales} Grey bars: how unlikely the model found each character. ${help}`;
      const score = show(found.scores[values.unit]);
      const tracks =
        values.sort === UNSORTED
          ? ""
          : ` Its correlation with “${values.sort}” over this text is ${score}.`;
      say(
        `Character ${cursor + 1} of ${characters.length}: ${spoken(characters[cursor])}. ` +
          `Unit ${values.unit}, ${name}: ${show(number)}.${tracks}`
      );
      caption.textContent = `Likeliest after ${visible(characters[cursor])}, with probabilities:`;
      list.replaceChildren(
        ...found.guesses.map(([character, p]) => {
          const bar = make("span", { class: "bar", "aria-hidden": "true" });
          bar.style.width = `${Math.round(100 * p)}%`;
          const letter = make("span", { class: "letter" }, visible(character));
          const track = make("span", { class: "track" }, bar);
          const share = make("span", { class: "p" }, show(p));
          const label = `${spoken(character)}: ${show(p)}`;
          return make("li", { "aria-label": label }, letter, track, share);
        })
      );
    }

    // Keep the cursor in sight of who moves it here.
    const reveal = (cursor) => {
      const left = cursor * CELL;
      const right = left - map.clientWidth;
      if (left < map.scrollLeft + 2 * CELL) map.scrollLeft = left - 4 * CELL;
      else if (right > map.scrollLeft - 3 * CELL) map.scrollLeft = right + 5 * CELL;
    };
    map.addEventListener("keydown", (event) => {
      const { found, characters } = state;
      const last = characters.length - 1;
      const cursor = Math.min(get("cursor"), last);
      const place = found.order.indexOf(get("unit"));
      const moves = {
        ArrowLeft: { cursor: Math.max(0, cursor - 1) },
        ArrowRight: { cursor: Math.min(last, cursor + 1) },
        Home: { cursor: 0 },
        End: { cursor: last },
        ArrowUp: { unit: found.order[Math.max(0, place - 1)] },
        ArrowDown: { unit: found.order[Math.min(found.order.length - 1, place + 1)] },
      };
      if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      change(moves[event.key]);
      reveal(get("cursor"));
    });
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const T = state.characters.length;
      const across = Math.floor(((event.clientX - box.left) / box.width) * T);
      const down = event.clientY - box.top - LINE - SURPRISE - LETTER;
      const pressed = state.found.order[Math.floor(down / HEIGHTS[state.shown])]; // none above
      change({ cursor: within(across, 0, T - 1), unit: pressed ?? state.unit });
    });

    // The canvas has the page's colours in it: paint it again when they change.
    const again = () => state && paint(canvas, frame, state);
    const themes = new MutationObserver(again);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", again);
    const placed = new ResizeObserver(again); // the first time, when it is put on the page
    placed.observe(frame);
    function stop() {
      themes.disconnect();
      placed.disconnect();
      system.removeEventListener("change", again);
    }
    return { parts, refresh, stop };
  },
});
