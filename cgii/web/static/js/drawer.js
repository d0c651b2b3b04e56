// The drawer at the right: opens on a row, has an address (?panel=/…), closes with Esc, gives the focus back.
const drawer = () => document.getElementById("drawer");
let opener = null;

function isPanel(path) {
  return /^\/(?!\/)[^\\]*\/panel$/.test(path || "");
}

function address(path) {
  const url = new URL(location.href);
  if (path) url.searchParams.set("panel", path); else url.searchParams.delete("panel");
  return url;
}

export async function openDrawer(path, { from = null, remember = true } = {}) {
  const box = drawer();
  if (!box || !isPanel(path)) return;
  if (from) opener = from;
  const wasOpen = box.classList.contains("open");
  await htmx.ajax("GET", path, { target: "#drawer", swap: "innerHTML" });
  if (!box.querySelector("#drawer-title")) return;
  box.hidden = false;
  requestAnimationFrame(() => {
    box.classList.add("open");
    if (!wasOpen) box.focus({ preventScroll: true });
  });
  box.dataset.path = path;
  mark(path);
  if (remember) history[wasOpen ? "replaceState" : "pushState"]({}, "", address(path));
}

export function closeDrawer({ remember = true } = {}) {
  const box = drawer();
  if (!box?.classList.contains("open")) return false;
  box.classList.remove("open");
  box.dataset.path = "";
  setTimeout(() => { if (!box.classList.contains("open")) { box.hidden = true; box.replaceChildren(); } }, 160);
  if (remember) history.pushState({}, "", address(""));
  const row = opener?.isConnected ? opener : document.querySelector("tr.here");
  (row?.querySelector("a, button, input") || document.getElementById("main"))?.focus({ preventScroll: true });
  return true;
}

function mark(path) {
  for (const row of document.querySelectorAll("tr[data-panel]")) row.classList.toggle("here", row.dataset.panel === path);
}

// Tab stays inside while it is open over the page on a phone; beside the page it may leave.
function keepInside(event) {
  const box = drawer();
  if (event.key !== "Tab" || !box?.classList.contains("open") || !box.contains(document.activeElement)) return;
  const stops = [...box.querySelectorAll('a[href], button:not(:disabled), input:not([type="hidden"]), select, textarea, summary, [tabindex="0"]')].filter((stop) => stop.offsetParent);
  if (!stops.length) return;
  const first = stops[0];
  const last = stops[stops.length - 1];
  if (event.shiftKey && (document.activeElement === first || document.activeElement === box)) { last.focus(); event.preventDefault(); }
  else if (!event.shiftKey && document.activeElement === last) { first.focus(); event.preventDefault(); }
}

export function startDrawer() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close-drawer]")) { closeDrawer(); return; }
    const opening = event.target.closest("[data-panel]");
    if (!opening) return;
    const inner = event.target.closest("a, button, input, label, summary");
    if (inner && inner !== opening && !inner.matches("[data-panel]")) return;
    if (event.metaKey || event.ctrlKey || getSelection()?.toString()) return;
    event.preventDefault();
    openDrawer(opening.dataset.panel, { from: opening });
  });
  document.addEventListener("keydown", (event) => {
    keepInside(event);
    if (event.key === "Escape" && !document.querySelector("dialog[open]") && closeDrawer()) event.preventDefault();
  });
  addEventListener("popstate", () => {
    const path = new URL(location.href).searchParams.get("panel");
    if (path) openDrawer(path, { remember: false }); else closeDrawer({ remember: false });
  });
  const wanted = new URL(location.href).searchParams.get("panel");
  if (wanted) openDrawer(wanted, { remember: false });
  document.addEventListener("htmx:afterSettle", () => { if (drawer()?.dataset.path) mark(drawer().dataset.path); });
}
