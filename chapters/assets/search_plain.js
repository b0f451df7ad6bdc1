// What a search shows of a page is prose: no formulas in TeX, and no code.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const everything = Search.htmlToText;
  const left_out = ".cell_input, .cell_output, details.run-this-page, nav";
  Search.htmlToText = (text, anchor) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    for (const formula of page.querySelectorAll(".math, mjx-container"))
      formula.replaceWith(" … ");
    for (const other of page.querySelectorAll(left_out)) other.remove();
    return everything(page.documentElement.outerHTML, anchor);
  };
});
