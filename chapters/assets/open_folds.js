/* A link to what is folded, such as a solution, opens it. */

const openAround = (place) => {
  for (let box = place; box; box = box.parentElement) {
    if (box.tagName === "DETAILS") box.open = true;
    if (box.classList.contains("toggle-hidden")) box.querySelector(".toggle-button").click();
  }
};

const openTarget = () => {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!place) return;
  openAround(place);
  place.scrollIntoView();
};

addEventListener("hashchange", openTarget);
// When all that waits for the page has folded what it folds.
addEventListener("DOMContentLoaded", () => setTimeout(openTarget));

// A link in the title of a box leads away; it doesn't open or close a box.
addEventListener(
  "click",
  (event) => event.target.closest(".admonition-title a") && event.stopPropagation(),
  true,
);
