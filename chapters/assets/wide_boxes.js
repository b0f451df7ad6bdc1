/* What scrolls inside of a box, such as wide code, can be reached and scrolled by keyboard.

   The theme asks every box of a page for its size as soon as the page is there, which lays out what
   nobody sees yet; light_pages.py takes that out. An observer is told of a box when it is laid out
   anyhow, and again when it changes. */

const BOXES = "pre, .cell_output > .output, .pst-scrollable-table-container";

const watcher = new ResizeObserver((entries) => {
  const scrolls = ({ target: box }) =>
    box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  const wide = entries.map(scrolls); // all are read before one is changed
  entries.forEach(({ target: box }, k) => (box.tabIndex = wide[k] ? 0 : -1));
});

addEventListener("DOMContentLoaded", () =>
  document.querySelectorAll(BOXES).forEach((box) => watcher.observe(box)),
);
