// What a page does when it is pointed at. Without this file everything is there; nothing lights up.

// Equation cards: point at a symbol, or reach it with Tab, and every occurrence of it in the card lights up.
for (const card of document.querySelectorAll(".equation-card")) {
  const symbolOf = (event) => event.target.closest("[data-sym]")?.dataset.sym;
  const light = (symbol) => {
    for (const place of card.querySelectorAll("[data-sym]")) {
      place.classList.toggle("lit", symbol !== undefined && place.dataset.sym === symbol);
    }
  };
  const focused = () => document.activeElement?.closest?.(".equation-card .symbol");
  const settle = () => light(card.contains(focused()) ? focused().dataset.sym : undefined);

  card.addEventListener("pointerover", (event) => (symbolOf(event) ? light(symbolOf(event)) : settle()));
  card.addEventListener("pointerleave", settle);
  card.addEventListener("focusin", settle);
  card.addEventListener("focusout", () => light(undefined));
  card.addEventListener("keydown", (event) => event.key === "Escape" && focused()?.blur());
}

// Citations: a button that copies, where the browser lets a page do that.
for (const button of document.querySelectorAll(".copy-citation")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("pre").textContent);
    button.ariaLabel = "Copied";
    setTimeout(() => (button.ariaLabel = "Copy"), 1600);
  });
}

// A link to what is folded away unfolds it: the cell that draws a figure.
const unfold = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details:not([open])");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", unfold);
unfold();

// A browser lets a page that was opened as a file read no other file: the search then shows titles without excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS === "object") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
