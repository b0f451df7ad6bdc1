// The host of the book's widgets on a built page, in place of Jupyter's whole widget manager.
//
// At each place of a widget myst-nb writes a script tag with its model_id. The states of a page's
// widgets are in a file that this script's tag names, and that is asked for when the reader comes
// near one: a network's weights are larger than the text. Until then the text of each widget stands
// in its place. A widget of this book is a plain module (an anywidget: its text is the state's
// _esm) that exports render({model, el}); its state never leaves the page. Added by
// chapters/extensions/widget_pages.py, and only to pages that have a widget.
(function () {
  "use strict";
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
  const { states: source } = document.currentScript.dataset;

  // The part after # in the page's address: what differs from the first state of each widget,
  // #GatePlayground-1:step=2&Counter-1:unit=3. Anything else there is a place on the page.
  function inAddress() {
    const parts = location.hash.slice(1).split("&").map((part) => part.split(/:(.*)/s, 2));
    return new Map(parts.filter(([id, text]) => text !== undefined && id in window.lessonWidgets));
  }
  const withHash = (known) => {
    const hash = [...known].map(([id, text]) => `${id}:${text}`).join("&");
    return location.href.split("#")[0] + (hash && `#${hash}`);
  };
  function address(id) {
    return {
      set(text) {
        const known = inAddress();
        if ((known.get(id) ?? "") === text) return;
        if (text) known.set(id, text);
        else known.delete(id);
        history.replaceState(history.state, "", withHash(known));
      },
      link: (text) => withHash([[id, text]]),
      // Hand over the state that the address names, now and when the reader follows a link to one.
      listen(restore) {
        const tell = () => inAddress().has(id) && restore(inAddress().get(id));
        addEventListener("hashchange", tell);
        tell();
      },
    };
  }

  // What render() needs of a model: values, and who wants to hear when one changes.
  function createModel(state, id) {
    const values = { ...state };
    const listeners = new Map(); // event -> set of callbacks
    const emit = (event, ...rest) => {
      for (const callback of [...(listeners.get(event) || [])]) callback(...rest);
    };
    return {
      address: address(id),
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
          const model = createModel(state, id);
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
    // What stays in sight of the page stays below the theme's bar.
    const bar = document.querySelector(".bd-header-article");
    el.style.setProperty("--below", `${bar?.offsetHeight ?? 0}px`);
    await widget.render({ model, el });
    view.before(el);
    // The text that stands here for a browser without scripts steps back.
    const text = view.nextElementSibling;
    if (text?.matches(".widget-static")) text.hidden = true;
    // A link to a state leads to its widget; who comes back is put where they were.
    const how = performance.getEntriesByType("navigation")[0]?.type;
    if (how === "navigate" && inAddress().keys().next().value === id) el.scrollIntoView();
  }

  // A file of the site as a script, for a page that is read from a disk may fetch nothing.
  let file = null;
  function start() {
    if (file) return;
    file = document.createElement("script");
    file.src = source;
    file.onload = () => {
      for (const view of document.querySelectorAll(VIEW))
        show(view, window.lessonWidgets).catch((error) => console.error("widget", error));
    };
    document.head.append(file);
  }

  // When the page has been read and a widget is near, or the address may name a state.
  function wait() {
    const near = new IntersectionObserver((seen) => seen.some((e) => e.isIntersecting) && start(), {
      rootMargin: "1000px 0px",
    });
    for (const view of document.querySelectorAll(VIEW)) near.observe(view.parentElement);
    const named = () => location.hash.includes(":") && start();
    addEventListener("hashchange", named);
    named();
  }

  if (document.readyState === "complete") wait();
  else addEventListener("load", wait);
})();
