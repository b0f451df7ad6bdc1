// Keys: to the next slide and back, and Enter opens or closes what is folded on this one.
const slides = [...document.querySelectorAll(".slide")];
const current = () => {
  const middle = innerHeight / 2;
  const at = slides.findIndex((slide) => slide.getBoundingClientRect().bottom > middle);
  return at < 0 ? slides.length - 1 : at;
};
const steps = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 };
addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, button, summary") || event.ctrlKey || event.metaKey)
    return;
  if (event.key in steps) {
    event.preventDefault();
    const to = Math.min(slides.length - 1, Math.max(0, current() + steps[event.key]));
    slides[to].scrollIntoView();
  } else if (event.key === "Enter") {
    const folds = [...slides[current()].querySelectorAll("details")];
    const open = !folds.every((fold) => fold.open);
    for (const fold of folds) fold.open = open;
  }
});
