// The rule editor: numbers of lines beside the text, the next line begins where this one does, a finding leads to its line.
function number(box) {
  const text = box.querySelector("textarea");
  const gutter = box.querySelector(".editor-lines");
  const wrong = new Set([...document.querySelectorAll("#checked [data-line]")].map((item) => Number(item.dataset.line)));
  const count = text.value.split("\n").length;
  gutter.replaceChildren();
  for (let line = 1; line <= count; line += 1) {
    if (wrong.has(line)) { const mark = document.createElement("b"); mark.textContent = line; gutter.append(mark, "\n"); } else gutter.append(`${line}\n`);
  }
  gutter.scrollTop = text.scrollTop;
}

function keepIndent(event) {
  const text = event.target;
  if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
  const before = text.value.slice(0, text.selectionStart);
  const indent = /[^\n]*$/.exec(before)[0].match(/^ */)[0];
  if (!indent) return;
  event.preventDefault();
  text.setRangeText(`\n${indent}`, text.selectionStart, text.selectionEnd, "end");
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

function goTo(line) {
  const text = document.querySelector("[data-editor] textarea");
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] || "").length);
  text.scrollTop = Math.max(0, (line - 4) * (text.scrollHeight / lines.length));
}

export function startEditor() {
  const box = document.querySelector("[data-editor]");
  if (!box) return;
  const text = box.querySelector("textarea");
  const renew = () => number(box);
  text.addEventListener("input", renew);
  text.addEventListener("keydown", keepIndent);
  text.addEventListener("scroll", () => { box.querySelector(".editor-lines").scrollTop = text.scrollTop; });
  text.closest("form").addEventListener("change", renew);
  document.addEventListener("htmx:afterSettle", renew);
  document.addEventListener("click", (event) => {
    const item = event.target.closest("[data-findings] [data-line]");
    if (item) goTo(Number(item.dataset.line));
  });
  renew();
}
