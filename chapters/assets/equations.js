// Equations are typeset one at a time, whenever the browser has nothing else to do: all at once
// they would hold up a phone's first second. Where the reader is comes first.
// One too wide for the screen scrolls in its own box, and a box that scrolls takes the keyboard;
// the theme sees to that for code and tables.
(function () {
  "use strict";
  function mark() {
    for (const box of document.querySelectorAll('mjx-container[display="true"]')) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", "equation");
      } else if (box.getAttribute("role") === "region") {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
    // The theme looked at tables before their equations were there.
    for (const table of document.querySelectorAll(".pst-scrollable-table-container"))
      table.tabIndex = table.scrollWidth > table.clientWidth ? 0 : -1;
  }
  const idle = () =>
    new Promise((go) => (window.requestIdleCallback ? requestIdleCallback(go) : setTimeout(go)));
  window.MathJax = window.MathJax ?? {};
  window.MathJax.startup = {
    async pageReady() {
      const all = [...document.querySelectorAll(".math")];
      const here = all.findIndex((math) => math.getBoundingClientRect().bottom > 0);
      for (const math of here > 0 ? [...all.slice(here), ...all.slice(0, here)] : all) {
        await idle();
        await MathJax.typesetPromise([math]);
      }
      mark();
    },
  };
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(mark, 100);
  });
})();
