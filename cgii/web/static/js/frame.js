// The frame: menus, the rail, theme, density, the clock of the top bar.
import { post } from "./send.js";

const root = document.documentElement;

function turnTheme() {
  const isDark = root.dataset.theme === "dark" || (root.dataset.theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "light" : "dark";
  post("/cuenta/preferencias", { theme: root.dataset.theme, silencio: "1" });
  document.dispatchEvent(new CustomEvent("cgii:theme"));
}

function turnDensity() {
  root.dataset.density = root.dataset.density === "dense" ? "comfortable" : "dense";
  post("/cuenta/preferencias", { density: root.dataset.density, silencio: "1" });
}

export function foldRail() {
  const small = root.dataset.rail !== "small";
  if (small) root.dataset.rail = "small"; else delete root.dataset.rail;
  localStorage.setItem("cgii-rail", small ? "small" : "");
}

function openMenu(open) {
  if (open) { root.dataset.menu = "open"; document.querySelector(".rail a")?.focus(); } else delete root.dataset.menu;
}

const BUTTONS = {
  "[data-turn-theme]": turnTheme,
  "[data-turn-density]": turnDensity,
  "[data-fold-rail]": foldRail,
  "[data-open-menu]": () => openMenu(true),
  "[data-close-menu]": () => openMenu(false),
  "[data-open-keys]": () => document.getElementById("keys").showModal(),
  "[data-print]": () => print(),
  "[data-copy]": (button) => navigator.clipboard?.writeText(button.dataset.copy),
};

function onClick(event) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  for (const [selector, act] of Object.entries(BUTTONS)) {
    const button = event.target.closest(selector);
    if (button) { event.preventDefault(); act(button); }
  }
  if (event.target instanceof HTMLDialogElement && event.target.classList.contains("sheet")) event.target.close("no");
}

function onKey(event) {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); event.stopImmediatePropagation(); }
  if (root.dataset.menu) { openMenu(false); document.querySelector("[data-open-menu]")?.focus(); }
}

function tick(clock) {
  const now = new Date();
  const options = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "America/La_Paz" };
  const parts = Object.fromEntries(new Intl.DateTimeFormat(root.lang === "en" ? "en-GB" : "es-BO", options).formatToParts(now).map((part) => [part.type, part.value]));
  clock.querySelector("[data-local]").textContent = `${parts.day} ${parts.month.replace(".", "")}, ${parts.hour}:${parts.minute}`;
  clock.querySelector("[data-utc]").textContent = now.toISOString().slice(11, 16);
}

// A list swapped by htmx keeps the filter menu open in which one is ticking.
let openFilter = "";
export function startFrame() {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:beforeSwap", () => { openFilter = document.querySelector(".list-tools details[open]")?.id || ""; });
  document.addEventListener("htmx:afterSettle", () => {
    const menu = openFilter && document.getElementById(openFilter);
    if (menu) menu.open = true;
    openFilter = "";
  });
  const clock = document.querySelector("[data-clock]");
  if (clock) { tick(clock); setInterval(() => tick(clock), 10000); }
}
