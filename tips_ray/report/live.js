"use strict";
// Loads the page again when the server has a newer one; the place on the page and what is folded open stay.
(() => {
  const folds = () => [...document.querySelectorAll("details")];
  const kept = JSON.parse(sessionStorage.getItem("place") ?? "null");
  if (kept) {
    folds().forEach((fold, place) => (fold.open = kept.open[place] ?? fold.open));
    requestAnimationFrame(() => window.scrollTo(0, kept.scroll));
    sessionStorage.removeItem("place");
  }
  const line = document.createElement("p");
  const made = new Date();
  line.className = "quiet";
  line.setAttribute("role", "status");
  document.querySelector("header h1").after(line);
  const say = (text) => (line.textContent = text);
  say(`Live: as of ${made.toLocaleTimeString()}; the page loads again when runs have stored more.`);
  async function look() {
    try {
      const answer = await fetch("/stamp", { cache: "no-store" });
      if ((await answer.text()) !== "STAMP") {
        sessionStorage.setItem("place", JSON.stringify({ scroll: window.scrollY, open: folds().map((fold) => fold.open) }));
        window.location.reload();
      }
    } catch {
      say(`As of ${made.toLocaleTimeString()}; tips-ray watch has ended.`);
    }
  }
  setInterval(look, 2000);
})();
