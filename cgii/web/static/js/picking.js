// Ticked rows of a list, and the bar of what can be done to all of them.
function refresh() {
  const bulk = document.querySelector("[data-bulk]");
  if (!bulk) return;
  const boxes = [...document.querySelectorAll("[data-pick]")];
  const count = boxes.filter((box) => box.checked).length;
  bulk.hidden = count === 0;
  bulk.querySelector("[data-bulk-count]").textContent = String(count);
  const all = document.querySelector("[data-pick-all]");
  if (all) { all.checked = count > 0 && count === boxes.length; all.indeterminate = count > 0 && count < boxes.length; }
}

let last = null;
export function startPicking() {
  document.addEventListener("click", (event) => {
    const box = event.target.closest("[data-pick]");
    if (box) {
      const boxes = [...document.querySelectorAll("[data-pick]")];
      if (event.shiftKey && last && boxes.includes(last)) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        boxes.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
      }
      last = box;
      refresh();
    }
    if (event.target.closest("[data-pick-none]")) { document.querySelectorAll("[data-pick]").forEach((other) => { other.checked = false; }); refresh(); }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-pick-all]")) return;
    document.querySelectorAll("[data-pick]").forEach((box) => { box.checked = event.target.checked; });
    refresh();
  });
  document.addEventListener("htmx:afterSettle", refresh);
}
