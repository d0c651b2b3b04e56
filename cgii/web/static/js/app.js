// Starts every part of the browser's side. Pages need no script of their own: data-* attributes say what to do.
import { startAlpineParts } from "./alpine-parts.js";
import { startCharts } from "./charts.js";
import { startConfirming } from "./confirming.js";
import { startDrafts } from "./drafts.js";
import { startDrawer } from "./drawer.js";
import { startEditor } from "./editor.js";
import { startFrame } from "./frame.js";
import { startKeys } from "./keys.js";
import { startPicking } from "./picking.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";

document.addEventListener("alpine:init", startAlpineParts);

// Every request of htmx carries the session's token; the server refuses changes without it.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = document.querySelector('meta[name="csrf"]').content;
});
// A list's address has only what differs from the usual: no empty search, no usual columns.
document.addEventListener("htmx:configRequest", (event) => {
  const form = event.target.closest?.("form.list-tools");
  if (!form) return;
  for (const [name, value] of [...event.detail.formData]) if (value === "") event.detail.formData.delete(name);
  const columns = [...form.querySelectorAll('[name="cols"]')];
  if (columns.every((box) => box.checked === box.hasAttribute("data-usual"))) event.detail.formData.delete("cols");
});
document.addEventListener("htmx:beforeRequest", () => { document.documentElement.dataset.busy = ""; });
document.addEventListener("htmx:afterRequest", () => { delete document.documentElement.dataset.busy; });

startToasts();
startFrame();
startDrawer();
startPicking();
startKeys();
startConfirming();
startDrafts();
startTimes();
startCharts();
startEditor();

// The list of problems above a form names their fields, and has the focus.
for (const link of document.querySelectorAll(".summary a")) {
  const field = document.querySelector(link.hash.replace(/[^#\w-]/g, "")) || null;
  const label = field && (document.querySelector(`label[for="${CSS.escape(field.id)}"]`) || field.querySelector("legend"));
  if (label) link.prepend(`${label.childNodes[0].textContent.trim()}: `);
}
document.querySelector("[data-focus]")?.focus();
