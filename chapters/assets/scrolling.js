// What is too wide for the screen scrolls in its own box; a box that scrolls takes the keyboard.
// The theme sees to code and tables, this to equations, once they are typeset.
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
  }
  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(mark, 100);
  });
  addEventListener("load", () => window.MathJax?.startup?.promise?.then(mark));
})();
