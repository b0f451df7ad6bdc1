// Reader: the trained character model on any text. State: text, gate ("i" ... "h"), view, sort,
// unit, cursor, part, hold, shown, and weights, {name: {shape, rows, scale}}: 8-bit rows and a
// scale each, in base64. From reader.py: ALPHABET, PROPERTIES, UNITS, MARKED, UNSORTED, VIEWS,
// HOLDS, MOST, FAR and SHIFTS.

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
// (V). `hold` is null or {unit, first, end, at}: what the cell state of a unit is from character
// `first` to before `end`. What the text before had at its beginning is taken over, so that typing
// at the end costs one step.
const kept = new Map(); // what was read last, while nothing was held and while something was
function read(characters, weights, hold = null) {
  const net = Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, decode(w)]));
  const key = JSON.stringify([weights.bias.rows, hold]);
  const last = kept.get(hold === null);
  let same = 0;
  if (last?.key === key)
    while (same < characters.length && characters[same] === last.characters[same]) same++;
  const gates = {};
  for (const name of LETTERS) gates[name] = same ? last.gates[name].slice(0, same) : [];
  const logits = same ? last.logits.slice(0, same) : [];
  const none = new Float64Array(net.bias.length / 4);
  let state = { h: gates.h[same - 1] ?? none, c: gates.c[same - 1] ?? none };
  for (let n = same; n < characters.length; n++) {
    state = lstmStep(net, PLACES.get(characters[n]), state, holding(hold, n));
    for (const name of LETTERS) gates[name].push(state[name]);
    logits.push(affine(net.head_bias, net.head_weight, state.h));
  }
  const found = { key, characters, gates, logits, net };
  kept.set(hold === null, found);
  return found;
}

// What is held at the n-th character, as `lstmStep` takes it.
const holding = (hold, n) =>
  hold && hold.first <= n && n < hold.end
    ? (name, k, value) => (name === "c" && k === hold.unit ? hold.at : value)
    : undefined;

// By how many nats the likeliest guess at the cursor gets less likely if a character up to there is
// left out, for the last FAR of them; 0 for all others.
function whatMattered({ characters, gates, logits, net }, cursor, hold) {
  const before = logSoftmax(logits[cursor]);
  const guess = before.indexOf(Math.max(...before));
  const none = new Float64Array(UNITS);
  return characters.map((_, left) => {
    if (left > cursor || left <= cursor - FAR) return 0;
    let state = { h: gates.h[left - 1] ?? none, c: gates.c[left - 1] ?? none };
    for (let n = left + 1; n <= cursor; n++)
      state = lstmStep(net, PLACES.get(characters[n]), state, holding(hold, n));
    return before[guess] - logSoftmax(affine(net.head_bias, net.head_weight, state.h))[guess];
  });
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

// Values less their mean, by their spread, so that a mean of products is a correlation; zeros where
// nothing varies or varied.
function standard(values) {
  const middle = mean(values);
  const spread = Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
  return values.map((value) => (spread > 1e-12 ? (value - middle) / spread : 0));
}

// Of two that are standard, the second moved along by so many places. A plain loop, for it runs for
// every unit and every move at each step of the cursor.
function correlation(a, b, moved = 0) {
  let sum = 0;
  for (let t = 0; t < a.length; t++) sum += a[t] * b[(t + a.length - moved) % a.length];
  return sum / a.length;
}

// Nats of each character given those before it, 0 for the first; and their mean without the first.
const surprises = (characters, logP) =>
  characters.map((character, t) => (t ? -logP[t - 1][PLACES.get(character)] : 0));
const meanSurprise = (surprise) => (surprise.length > 1 ? mean(surprise.slice(1)) : 0);

// The first marked character and the end of those that are, or none.
function marked(part, T) {
  const [first, end] = part.map((place) => Math.min(place, T));
  return first < end ? [first, end] : [0, 0];
}

// Everything that is shown, as Reader.compute() of reader.py.
export function compute({ text, gate, view, sort, unit, cursor, part, hold, weights }) {
  const characters = known(text);
  const T = characters.length;
  const where = Math.min(cursor, T - 1);
  const [first, end] = marked(part, T);
  const free = read(characters, weights);
  const at = hold === HOLDS[2] && first > 0 ? free.gates.c[first - 1][unit] : 0;
  const held = hold === HOLDS[0] ? null : { unit, first, end: end || T, at };
  const found = held ? read(characters, weights, held) : free;
  const { gates, logits } = found;
  const order = Array.from(gates.i[0], (_, k) => k);
  let [scores, chance] = [order.map(() => 0), 0];
  if (sort !== UNSORTED) {
    const inside = characters.map((_, n) => +(first <= n && n < end));
    const tracked = standard(sort === MARKED ? inside : properties(characters)[sort]);
    const units = order.map((k) => standard(gates[gate].map((row) => row[k])));
    scores = units.map((values) => correlation(values, tracked));
    order.sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a]) || a - b);
    const largest = [];
    for (let n = 1; n < T; n += Math.ceil(T / SHIFTS))
      largest.push(Math.max(...units.map((values) => Math.abs(correlation(values, tracked, n)))));
    chance = largest.length ? mean(largest) : 0;
  }
  const logP = logits.map(logSoftmax);
  const surprise = surprises(characters, logP);
  const here = logP[where];
  const best = Array.from(here, (_, k) => k).sort((a, b) => here[b] - here[a] || a - b);
  return {
    gates,
    scores,
    order,
    chance,
    guesses: best.slice(0, 5).map((k) => [ALPHABET[k], Math.exp(here[k])]),
    surprise,
    free: meanSurprise(held ? surprises(characters, free.logits.map(logSoftmax)) : surprise),
    mattered:
      view === VIEWS[2] ? whatMattered(found, where, held) : characters.map(() => 0),
  };
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

// Values from -1 to 1, and what they were divided by: gates as they are, anything else by its
// largest.
function scaled(values, gate) {
  if (["i", "f", "o"].includes(gate)) return [values, 1];
  const largest = Math.max(1e-9, ...values.map(Math.abs));
  return [values.map((value) => value / largest), largest];
}

// Black or white, whichever is easier to read on a colour: relative luminance as WCAG has it.
function inkOn(rgb) {
  const linear = (part) => (part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const [r, g, b] = rgb.map(linear);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? "#000" : "#fff";
}

// The text, each letter on the colour of its value, from -1 (grey) to 1.
function colourText(passage, frame, { characters, cursor, span, colours, fill }) {
  if (!frame.isConnected) return;
  const [ink, paper, full] = ["--ink", "--paper", fill].map((name) => colour(frame, name));
  const letters = characters.map((character, n) => {
    const value = colours[n];
    // Not as dark as the letters of the page: in dark mode not as light.
    const back = mixed(paper, value >= 0 ? full : mixed(paper, ink, 0.6), Math.abs(value));
    const style = `background: ${css(back)}; color: ${inkOn(back)}`;
    const here = n === cursor ? " here" : "";
    const inside = span[0] <= n && n < span[1] ? " marked" : "";
    const text = character === "\n" ? "⏎\n" : character;
    return make("span", { class: `at${here}${inside}`, style, "data-n": n }, text);
  });
  passage.replaceChildren(...letters);
}

function paint(canvas, frame, { characters, found, gate, unit, cursor, span, shown }) {
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
  const of = (k) => scaled(found.gates[gate].map((row) => row[k]), gate)[0];

  // The heat map, a pixel a value, then blown up.
  const image = new ImageData(T, units.length);
  units.forEach((k, row) => {
    for (const [t, value] of of(k).entries()) {
      const rgb = mixed(paper, value >= 0 ? fill : ink, Math.abs(value));
      image.data.set([...rgb.map(Math.round), 255], 4 * (row * T + t));
    }
  });
  const small = make("canvas", { width: T, height: units.length });
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, top, width, units.length * height);

  // The unit that is followed, as a line.
  const closed = "ifo".includes(gate);
  const [floor, room] = closed ? [LINE - 4, LINE - 8] : [LINE / 2, LINE / 2 - 4];
  const y = (value) => floor - value * room;
  context.strokeStyle = css(dim, 0.6);
  context.beginPath();
  context.moveTo(0, y(0));
  context.lineTo(width, y(0));
  context.stroke();
  context.strokeStyle = css(fill);
  context.lineWidth = 2;
  context.beginPath();
  of(unit).forEach((value, t) => {
    context.lineTo(t * CELL, y(value));
    context.lineTo((t + 1) * CELL, y(value));
  });
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

  // What is marked, and where the reader is.
  context.fillStyle = css(accent);
  context.fillRect(span[0] * CELL, top - 2, (span[1] - span[0]) * CELL, 2);
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

// What is said of the character at the cursor, of the unit that is followed, and of what is held.
function told({ characters, cursor, unit, gate, sort, span, hold, view, found }, value) {
  const said = [
    `Character ${cursor + 1} of ${characters.length}: ${spoken(characters[cursor])}.`,
    `Unit ${unit}, ${NAMES[gate]}: ${show(value)}.`,
  ];
  if (view === VIEWS[2]) {
    const most = found.mattered.indexOf(Math.max(...found.mattered));
    said.push(
      `The likeliest guess, ${spoken(found.guesses[0][0])}, owes most to character ${most + 1}, ` +
        `${spoken(characters[most])}: without it, ${show(found.mattered[most])} nats less likely.`
    );
  } else if (sort === MARKED && span[0] === span[1])
    said.push("Nothing is marked: select some of the text, to find units that stand out there.");
  else if (sort !== UNSORTED)
    said.push(
      `Its correlation with “${sort}” over this text is ${show(found.scores[unit])}; ` +
        `the best of all units would have ${show(found.chance)} by chance.`
    );
  if (hold !== HOLDS[0])
    said.push(
      `With the unit held ${hold}, the text costs ${show(meanSurprise(found.surprise))} nats a ` +
        `character, and ${show(found.free)} with all units free.`
    );
  return said.join(" ");
}

export default widget({
  kind: "reader",
  label: "Reader of a trained network",
  checks: {
    text: (text) => text !== "" && text === readText(text).text,
    gate: among(LETTERS), view: among(VIEWS), sort: among([...PROPERTIES, MARKED, UNSORTED]),
    unit: wholeFrom(0, UNITS - 1), cursor: wholeFrom(0, MOST - 1), hold: among(HOLDS),
    part: (part) =>
      Array.isArray(part) && part.length === 2 && part.every(wholeFrom(0, MOST)) &&
      part[0] <= part[1],
    shown: among(Object.keys(HEIGHTS).map(Number)),
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
      if (text !== "") change({ text, cursor: caret(), part: [0, 0] });
    });
    // A field that is left empty goes back to the text that was read last.
    typed.addEventListener("change", () => {
      typed.removeAttribute("aria-invalid");
      results.hidden = false;
      typed.value = get("text");
    });
    // What is selected in the field is marked; it stays so until something else is, or nothing.
    const follow = () => {
      if (get("text") !== typed.value) return;
      const first = before().length;
      const chosen = typed.value.slice(typed.selectionStart, typed.selectionEnd);
      const end = first + Array.from(plain(chosen)).length;
      const part = first < end ? [first, end] : [0, 0];
      const cursor = first < end ? end - 1 : caret();
      const same = cursor === get("cursor") && String(part) === String(get("part"));
      if (!same) change({ cursor, part });
    };
    for (const event of ["click", "keyup", "select"]) typed.addEventListener(event, follow);

    const setting = (label, key, options, read) =>
      select(label, options, (value) => change({ [key]: value }), read);
    const named = (values) => values.map((value) => [value, value]);
    const view = setting("Look at", "view", named(VIEWS));
    const gate = setting("Show", "gate", LETTERS.map((key) => [key, `${NAMES[key]} ${key}`]));
    const sort = setting("Sort units by", "sort", named([...PROPERTIES, MARKED, UNSORTED]));
    const counts = Object.keys(HEIGHTS).map((n) => [n, n]);
    const shown = setting("Units shown", "shown", counts, Number);
    const unit = setting("Follow unit", "unit", [], Number);
    const hold = setting("Hold its cell state", "hold", named(HOLDS));
    const selects = [view, gate, sort, shown, unit, hold].map(({ element }) => element);

    const canvas = make("canvas", { role: "img" });
    const passage = make("div", { class: "passage" });
    const help =
      "Tap or click to look at a character, and in the map at a unit. Left and right arrow keys " +
      "move along the text, up and down arrow keys from unit to unit. To mark a part, select it " +
      "in the field above, or hold Shift with the arrow keys; Escape takes the mark away.";
    const about = { role: "group", "aria-label": `The text, and what units do with it. ${help}` };
    const map = make("div", { class: "map", tabindex: 0, ...about }, canvas, passage);
    const legend = make("p", { class: "legend dim" });
    const list = make("ol", { class: "guesses", "aria-label": "Likeliest next characters" });
    const caption = make("p", { class: "caption" });
    const controls = make("div", { class: "controls" }, ...selects);
    const guesses = make("div", {}, caption, list);
    const two = make("div", { class: "two" }, words, guesses);
    const results = make("div", {}, map, controls, two, legend);
    const parts = [area, notes, results];

    let state = null; // what is on the screen
    function showText() {
      const whole = state.view === VIEWS[0];
      canvas.hidden = !whole;
      passage.hidden = whole;
      shown.element.hidden = !whole;
      if (whole) paint(canvas, frame, state);
      else colourText(passage, frame, state);
    }
    function refresh() {
      const keys = ["text", "gate", "view", "sort", "cursor", "unit", "part", "hold", "shown"];
      const values = Object.fromEntries([...keys, "weights"].map((key) => [key, get(key)]));
      const found = compute(values);
      const characters = known(values.text);
      const cursor = Math.min(values.cursor, characters.length - 1);
      const span = marked(values.part, characters.length);
      const mattered = values.view === VIEWS[2];
      const own = found.gates[values.gate].map((row) => row[values.unit]);
      const [colours, largest] = mattered ? scaled(found.mattered) : scaled(own, values.gate);
      const fill = mattered ? "--accent" : `--fill-${values.gate}`;
      state = { ...values, characters, found, cursor, span, colours, fill };
      if (document.activeElement !== typed) typed.value = values.text;
      for (const [key, { set }] of Object.entries({ view, gate, sort, shown, hold }))
        set(values[key]);
      const r = (k) => (values.sort === UNSORTED ? "" : ` (${show(found.scores[k])})`);
      unit.fill(found.order.map((k) => [k, `${k}${r(k)}`]));
      unit.set(values.unit);
      showText();
      const name = NAMES[values.gate];
      canvas.setAttribute(
        "aria-label",
        `${name} of the first ${Math.min(values.shown, UNITS)} units at each of ` +
          `${characters.length} characters, and of unit ${values.unit} as a line. ` +
          "The line below says the value at the cursor."
      );
      const scale = `full colour: ${show(largest)}`;
      const legends = [
        "ifo".includes(values.gate)
          ? "Pale: 0, full colour: 1."
          : "Coloured: above zero, grey: below; each unit on its own scale.",
        "ifo".includes(values.gate)
          ? "Pale: 0, full colour: 1."
          : `Coloured: above zero, grey: below; ${scale}.`,
        `Coloured: without this character the first guess would be less likely; grey: likelier; ` +
          `${scale} nats. Of the last ${FAR} characters.`,
      ];
      const bars = " Grey bars: how unlikely the model found each character.";
      legend.textContent =
        `${legends[VIEWS.indexOf(values.view)]}${values.view === VIEWS[0] ? bars : ""} ${help}`;
      say(told(state, own[cursor]));
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
    let anchor = 0; // where marking by keys began
    map.addEventListener("keydown", (event) => {
      const { found, characters, span } = state;
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
        Escape: { part: [0, 0] },
      };
      const move = moves[event.key];
      if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if (event.shiftKey && "cursor" in move) {
        if (span[0] === span[1]) anchor = cursor;
        const ends = [anchor, move.cursor];
        move.part = [Math.min(...ends), Math.max(...ends) + 1];
      }
      change(move);
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

    passage.addEventListener("click", ({ target }) => {
      if (target.dataset.n) change({ cursor: Number(target.dataset.n) });
    });

    // Both have the page's colours in them: paint them again when those change.
    const again = () => state && showText();
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
