// The host of the book's widgets on a built page, in place of Jupyter's whole widget manager.
//
// myst-nb writes two kinds of script tags: one with the state of every widget of the notebook, and
// at each place of a widget one with its model_id. A widget of this book is a plain module (an
// anywidget: its text is the state's _esm) that exports render({model, el}); its state never leaves
// the page. Added by chapters/extensions/widget_pages.py, and only to pages that have a widget.
(function () {
  "use strict";
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  // What render() needs of a model: values, and who wants to hear when one changes.
  function createModel(state) {
    const values = { ...state };
    const listeners = new Map(); // event -> set of callbacks
    const emit = (event, ...rest) => {
      for (const callback of [...(listeners.get(event) || [])]) callback(...rest);
    };
    return {
      get: (key) => values[key],
      set(key, value) {
        const changes = typeof key === "object" ? key : { [key]: value };
        const changed = Object.keys(changes).filter((name) => values[name] !== changes[name]);
        Object.assign(values, changes);
        for (const name of changed) emit(`change:${name}`, this, values[name]);
        if (changed.length) emit("change", this);
      },
      on(events, callback) {
        for (const event of events.split(" ")) {
          if (!listeners.has(event)) listeners.set(event, new Set());
          listeners.get(event).add(callback);
        }
      },
      off(event, callback) {
        if (!event) listeners.clear();
        else if (!callback) listeners.delete(event);
        else listeners.get(event)?.delete(callback);
      },
      save_changes() {}, // there is no kernel to tell
      send() {},
    };
  }

  const modules = new Map(); // text of a module -> promise of it
  function load(text) {
    if (!modules.has(text)) {
      const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      modules.set(text, import(url));
    }
    return modules.get(text);
  }

  const styled = new Set();
  function addStyle(text) {
    if (!text || styled.has(text)) return;
    styled.add(text);
    document.head.append(Object.assign(document.createElement("style"), { textContent: text }));
  }

  const models = new Map(); // model_id -> promise of {model, widget}
  function open(id, states) {
    if (!models.has(id)) {
      const { state } = states[id];
      addStyle(state._css);
      models.set(
        id,
        load(state._esm).then(async (module) => {
          const model = createModel(state);
          let widget = module.default;
          if (typeof widget === "function") widget = await widget();
          await widget.initialize?.({ model });
          return { model, widget };
        })
      );
    }
    return models.get(id);
  }

  async function show(view, states) {
    const id = JSON.parse(view.textContent).model_id;
    if (!states[id]?.state._esm) return; // no widget of this book
    const { model, widget } = await open(id, states);
    const el = document.createElement("div");
    el.dataset.widget = id;
    await widget.render({ model, el });
    view.before(el);
    // The text that stands here for a browser without scripts steps back.
    const text = view.nextElementSibling;
    if (text?.matches(".widget-static")) text.hidden = true;
  }

  function start() {
    const states = Object.assign(
      {},
      ...[...document.querySelectorAll(STATE)].map((tag) => JSON.parse(tag.textContent).state)
    );
    for (const view of document.querySelectorAll(VIEW))
      show(view, states).catch((error) => console.error("widget", error));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
