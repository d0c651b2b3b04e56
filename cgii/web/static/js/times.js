// Relative times stay fresh while a page is open.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

function said(seconds) {
  const english = document.documentElement.lang === "en";
  const size = Math.abs(seconds);
  if (size < 60) return english ? "now" : "ahora";
  const [unit, name] = UNITS.find(([length]) => size >= length);
  const words = `${Math.floor(size / unit)} ${name}`;
  if (seconds > 0) return english ? `${words} ago` : `hace ${words}`;
  return english ? `in ${words}` : `en ${words}`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-ago]")) time.textContent = said((Date.now() - Date.parse(time.dateTime)) / 1000);
}

export function startTimes() {
  setInterval(refresh, 30000);
}
