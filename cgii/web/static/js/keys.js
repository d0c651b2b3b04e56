// The keyboard: j/k along a list, Enter its drawer, letters its deeds, g + letter another place.
import { ask } from "./confirming.js";
import { openDrawer } from "./drawer.js";
import { foldRail } from "./frame.js";
import { obey, post } from "./send.js";

let waitingForPlace = false;

const rows = () => [...document.querySelectorAll("[data-list] tbody tr[data-row]")];
const here = () => document.querySelector("[data-list] tr.here");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const place = all.indexOf(here());
  const next = all[Math.min(all.length - 1, Math.max(0, place < 0 ? (step > 0 ? 0 : all.length - 1) : place + step))];
  all.forEach((row) => row.classList.toggle("here", row === next));
  next.scrollIntoView({ block: "nearest" });
  (next.querySelector("a") || next).focus?.({ preventScroll: true });
  if (document.getElementById("drawer")?.classList.contains("open") && next.dataset.panel) openDrawer(next.dataset.panel, { from: next });
}

async function deed(row, key) {
  const url = row.getAttribute(`data-action-${key}`);
  if (!url) return false;
  const question = row.getAttribute(`data-ask-${key}`);
  const answer = question ? await ask(question, { reason: row.hasAttribute(`data-reason-${key}`) }) : { yes: true, reason: "" };
  if (!answer.yes) return true;
  const response = obey(await post(url, answer.reason ? { reason: answer.reason } : {}));
  if (response.ok && !response.headers.get("HX-Redirect")) {
    const place = rows().indexOf(row);
    await htmx.ajax("GET", location.pathname + location.search, { target: "#list", select: "#list", swap: "outerHTML" });
    const left = rows(); // the cursor stays where it was, on the row that moved up if this one is gone
    left[Math.min(place, left.length - 1)]?.classList.add("here");
  }
  return true;
}

const PLAIN = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => here() && move(1),
  ArrowUp: () => here() && move(-1),
  Enter: () => here()?.dataset.panel && openDrawer(here().dataset.panel, { from: here() }),
  o: () => here()?.dataset.page && location.assign(here().dataset.page),
  x: () => here()?.querySelector("[data-pick]")?.click(),
  "/": () => (document.getElementById("top-search") || document.getElementById("list-q"))?.focus(),
  n: () => document.querySelector("[data-new]")?.click(),
  "?": () => document.getElementById("keys")?.showModal(),
  "[": foldRail,
};

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (waitingForPlace) {
      waitingForPlace = false;
      const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "g") { waitingForPlace = true; setTimeout(() => { waitingForPlace = false; }, 1200); return; }
    if (event.key === "Enter" && event.target.closest("a, button, summary") && !event.target.closest("tr.here")) return;
    const button = event.key.length === 1 && document.querySelector(`.drawer.open [data-key="${CSS.escape(event.key)}"], main [data-key="${CSS.escape(event.key)}"]`);
    const row = here();
    if (row && event.key.length === 1 && row.hasAttribute(`data-action-${CSS.escape(event.key)}`)) { event.preventDefault(); deed(row, event.key); return; }
    if (button) { event.preventDefault(); button.click(); return; }
    if (event.key in PLAIN) {
      if (event.key !== "Enter" || row) event.preventDefault();
      PLAIN[event.key]();
    }
  });
}
