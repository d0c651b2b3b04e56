// Short words after a deed, with a way back where there is one.
import { obey, post } from "./send.js";

const ICONS = { success: "check-circle", info: "info-circle", warning: "exclamation-triangle", danger: "x-octagon" };
const SECONDS = { success: 5, info: 6, warning: 9, danger: 12 };

export function toast({ text, kind = "success", undo = "" }) {
  const box = document.getElementById("toasts");
  if (!box || !text) return;
  const line = document.createElement("div");
  line.className = `toast-line toast-${kind in ICONS ? kind : "info"}`;
  const icon = document.createElement("i");
  icon.className = `bi bi-${ICONS[kind] || ICONS.info}`;
  const words = document.createElement("span");
  words.className = "grow";
  words.textContent = text;
  line.append(icon, words);
  if (undo.startsWith("/") && !undo.startsWith("//")) line.append(undoButton(undo, line));
  line.append(closeButton(line));
  box.append(line);
  setTimeout(() => line.remove(), (undo ? 30 : SECONDS[kind] || 6) * 1000);
}

function undoButton(url, line) {
  const button = document.createElement("button");
  button.className = "undo";
  button.textContent = document.documentElement.lang === "en" ? "Undo" : "Deshacer";
  button.addEventListener("click", async () => {
    line.remove();
    const response = obey(await post(url));
    if (response.ok && !response.headers.get("HX-Redirect")) location.reload();
  });
  return button;
}

function closeButton(line) {
  const button = document.createElement("button");
  button.setAttribute("aria-label", document.documentElement.lang === "en" ? "Close" : "Cerrar");
  button.innerHTML = '<i class="bi bi-x"></i>';
  button.addEventListener("click", () => line.remove());
  return button;
}

// A redirect leaves its toast in a cookie, for the next page to show once.
function kept() {
  const found = document.cookie.split("; ").find((part) => part.startsWith("cgii-toast="));
  if (!found) return;
  document.cookie = "cgii-toast=; Max-Age=0; path=/; SameSite=Lax";
  try {
    toast(JSON.parse(decodeURIComponent(found.slice("cgii-toast=".length).replace(/^"|"$/g, ""))).toast);
  } catch { /* somebody else's cookie */ }
}

export function startToasts() {
  document.body.addEventListener("toast", (event) => toast(event.detail));
  document.body.addEventListener("htmx:sendError", () => {
    toast({ kind: "danger", text: document.documentElement.lang === "en" ? "No connection." : "Sin conexión con el centro. Intente de nuevo." });
  });
  kept();
}
