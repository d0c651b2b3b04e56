// Draws the charts of a page from the JSON on them (htmx takes scripts out of what it swaps in), in the page's own colours; ECharts comes only when needed.
const drawn = new Map();
let library = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/vendor/echarts.min.js";
    script.onload = () => resolve(window.echarts);
    script.onerror = reject;
    document.head.append(script);
  });
  return library;
}

// A colour as the theme has it now: "critico" or "--line" → rgb(…).
function colour(name) {
  const probe = document.createElement("span");
  const variable = name.startsWith("--") ? name : `--${name}-dot`;
  probe.style.color = `var(${variable}, var(--${name}, var(--accent)))`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const PALETTE = ["--accent", "good", "alto", "muy_alto", "bajo", "critico", "warn", "medio"];

export function showValue(value, unit) {
  if (value === null || value === undefined) return "–";
  const locale = document.documentElement.lang === "en" ? "en" : "es-BO";
  if (unit === "seconds") return duration(value);
  const text = new Intl.NumberFormat(locale, { maximumFractionDigits: unit === "count" ? 0 : 1, useGrouping: true }).format(value);
  return unit === "percent" ? `${text} %` : text;
}

// The two largest units, as the server writes them: "2 d 4 h".
function duration(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  const parts = [[Math.floor(minutes / 1440), "d"], [Math.floor((minutes % 1440) / 60), "h"], [minutes % 60, "min"]];
  const first = parts.findIndex(([amount]) => amount);
  return parts.slice(first, first + 2).filter(([amount]) => amount).map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

// Steps at which a clock or a calendar would put its marks, at most six of them.
const STEPS = [60, 300, 600, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000, 1728000, 2592000, 5184000, 7776000];
function stepOf(spec) {
  if (spec.unit !== "seconds") return undefined;
  const most = Math.max(...spec.series.flatMap((item) => item.values.filter((value) => value !== null)), 0);
  return STEPS.find((step) => most / step <= 6);
}

function axis(spec, ink, line, isCategory) {
  const label = { color: ink, fontSize: 11.5, hideOverlap: true };
  const isFew = spec.kind !== "bar" && spec.kind !== "line" && spec.categories.length < 8;
  const fit = isFew ? { interval: 0, hideOverlap: false, width: 76, overflow: "break" } : { width: 150, overflow: "truncate" };
  if (isCategory) return { type: "category", data: spec.categories, axisLabel: { ...label, ...fit }, axisLine: { lineStyle: { color: line } }, axisTick: { show: false } };
  return { type: "value", max: spec.unit === "percent" ? 100 : undefined, minInterval: spec.unit === "count" ? 1 : undefined, interval: stepOf(spec), axisLabel: { ...label, formatter: (value) => showValue(value, spec.unit) }, splitLine: { lineStyle: { color: line } } };
}

function series(spec, item, place) {
  const own = item.color ? colour(item.color) : colour(PALETTE[place % PALETTE.length]);
  const isLine = spec.kind === "line" || item.kind === "line";
  const made = {
    name: item.name, type: isLine ? "line" : "bar", data: item.values, color: own, barMaxWidth: 22, emphasis: { focus: "series" },
    itemStyle: { borderRadius: spec.kind === "bar" ? [0, 3, 3, 0] : spec.kind === "stacked" ? 0 : [3, 3, 0, 0] },
  };
  if (spec.kind === "stacked") made.stack = "all";
  if (item.colors) made.data = item.values.map((value, index) => ({ value, itemStyle: { color: colour(item.colors[index]) } }));
  if (spec.labels) made.label = { show: true, position: "right", color: colour("--ink-2"), fontSize: 11.5, formatter: (point) => item.texts?.[point.dataIndex] ?? showValue(point.value, spec.unit) };
  if (item.urls?.some(Boolean)) made.cursor = "pointer"; else made.cursor = "default";
  if (isLine) Object.assign(made, { symbolSize: 5, showSymbol: spec.categories.length < 32, lineStyle: { width: 2 } });
  if (place === 0 && spec.goal !== undefined && spec.goal !== null) {
    const along = spec.kind === "bar" ? { xAxis: spec.goal } : { yAxis: spec.goal };
    made.markLine = { symbol: "none", silent: true, lineStyle: { color: colour("--ink-2"), type: "dashed" }, label: { color: colour("--ink-2"), fontSize: 11, position: "insideStartTop", formatter: `Meta ${showValue(spec.goal, spec.unit)}` }, data: [along] };
  }
  return made;
}

function option(spec) {
  const ink = colour("--ink-3");
  const line = colour("--line");
  const flat = spec.kind === "bar";
  const tip = { renderMode: "richText", confine: true, backgroundColor: colour("--card"), borderColor: colour("--line-2"), textStyle: { color: colour("--ink"), fontSize: 12.5, fontFamily: "Inter, sans-serif" } };
  const base = { animation: false, aria: { enabled: true }, textStyle: { fontFamily: "Inter, system-ui, sans-serif", color: ink } };
  if (spec.kind === "share") {
    const only = spec.series[0];
    const data = spec.categories.map((name, index) => ({ name, value: only.values[index], itemStyle: { color: colour(only.colors?.[index] || PALETTE[index % PALETTE.length]) } }));
    return { ...base, tooltip: { ...tip, trigger: "item" }, legend: { bottom: 0, left: "center", itemWidth: 10, itemHeight: 10, textStyle: { color: ink } }, series: [{ type: "pie", radius: ["52%", "78%"], center: ["50%", "43%"], itemStyle: { borderColor: colour("--card"), borderWidth: 2 }, label: { show: false }, data }] };
  }
  return {
    ...base,
    grid: { left: 10, right: flat ? (spec.labels ? 64 : 28) : 12, top: spec.series.length > 1 ? 30 : 12, bottom: 2, containLabel: true },
    legend: spec.series.length > 1 ? { top: 0, left: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle: { color: ink, fontSize: 12 } } : undefined,
    tooltip: { ...tip, trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { opacity: 0.15 } }, valueFormatter: (value) => showValue(value, spec.unit) },
    xAxis: axis(spec, ink, line, !flat),
    yAxis: { ...axis(spec, ink, line, flat), inverse: flat },
    series: spec.series.map((item, place) => series(spec, item, place)),
  };
}

async function draw(box) {
  const place = box.querySelector(".chart[data-spec]");
  if (!place || drawn.has(place)) return;
  const echarts = await load();
  if (drawn.has(place)) return;
  const spec = JSON.parse(place.dataset.spec);
  const chart = echarts.init(place, null, { renderer: "svg" });
  drawn.set(place, { chart, spec });
  chart.setOption(option(spec));
  chart.on("click", (event) => {
    const url = spec.series[event.seriesIndex]?.urls?.[event.dataIndex];
    if (url?.startsWith("/") && !url.startsWith("//")) location.assign(url);
  });
  new ResizeObserver(() => chart.resize()).observe(place);
}

// The chart as a picture of its own, at twice the size, on the ground of the card.
function savePicture(button) {
  const box = button.closest("[data-chart]");
  const held = drawn.get(box.querySelector(".chart"));
  if (!held) return;
  const { width, height } = { width: held.chart.getWidth(), height: held.chart.getHeight() + 34 };
  const place = Object.assign(document.createElement("div"), { hidden: true });
  const copy = window.echarts.init(place, null, { renderer: "canvas", width, height, devicePixelRatio: 2 });
  const title = { text: box.querySelector("h2").textContent.trim(), textStyle: { color: colour("--ink"), fontSize: 14, fontWeight: 600 } };
  const drawing = option(held.spec);
  for (const part of [drawing.grid, drawing.legend]) if (part && part.top !== "middle") part.top = (part.top || 0) + 34;
  copy.setOption({ ...drawing, title });
  const link = document.createElement("a");
  link.download = `${button.dataset.chartPng}.png`;
  link.href = copy.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: colour("--card") });
  copy.dispose();
  link.click();
}

function look() {
  for (const [place, { chart }] of drawn) if (!place.isConnected) { chart.dispose(); drawn.delete(place); }
  document.querySelectorAll("[data-chart]").forEach((box) => draw(box));
}

function redraw() {
  for (const { chart, spec } of drawn.values()) chart.setOption(option(spec), true);
}

// On paper a chart is as wide as the paper lets it: its drawing is scaled, not drawn anew.
function fitToPaper() {
  for (const [place, { chart }] of drawn) place.querySelector("svg")?.setAttribute("viewBox", `0 0 ${chart.getWidth()} ${chart.getHeight()}`);
}

export function startCharts() {
  addEventListener("beforeprint", fitToPaper);
  look();
  document.addEventListener("htmx:afterSettle", look);
  document.addEventListener("cgii:theme", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("click", (event) => {
    const picture = event.target.closest("[data-chart-png]");
    if (picture) savePicture(picture);
    const button = event.target.closest("[data-chart-table]");
    if (!button) return;
    const box = button.closest("[data-chart]");
    const table = box.querySelector(".chart-table");
    if (!table) return;
    const asTable = table.hidden;
    table.hidden = !asTable;
    box.querySelector(".chart").hidden = asTable;
    button.setAttribute("aria-pressed", String(asTable));
    if (!asTable) box.querySelector(".chart") && drawn.get(box.querySelector(".chart"))?.chart.resize();
  });
}
