// Keeps what is being typed: a form with data-draft="name" is saved on the server a moment after each pause.
import { post } from "./send.js";

const PAUSE = 900;
const WORDS = { es: { saving: "Guardando…", saved: "Borrador guardado", failed: "Borrador sin guardar: no hay conexión", found: "Se recuperó lo que había escrito.", drop: "Descartar" },
  en: { saving: "Saving…", saved: "Draft saved", failed: "Draft not saved: no connection", found: "What you had typed is back.", drop: "Discard" } };
const words = () => WORDS[document.documentElement.lang] || WORDS.es;

function values(form) {
  const kept = {};
  for (const [name, value] of new FormData(form)) {
    if (["csrf", "draft"].includes(name) || typeof value !== "string" || /password/.test(name)) continue;
    if (name in kept) kept[name] = [].concat(kept[name], value); else kept[name] = value;
  }
  return kept;
}

function fill(form, kept) {
  for (const field of form.elements) {
    if (!field.name || !(field.name in kept) || ["hidden", "password", "file"].includes(field.type)) continue;
    const wanted = [].concat(kept[field.name]).map(String);
    if (field.type === "checkbox" || field.type === "radio") field.checked = wanted.includes(field.value);
    else field.value = wanted[0];
  }
}

// The server forgets the draft in the same transaction that keeps what was sent.
function name(form) {
  let field = form.querySelector('input[name="draft"]');
  if (!field) { field = Object.assign(document.createElement("input"), { type: "hidden", name: "draft" }); form.append(field); }
  field.value = form.dataset.draft;
}

async function follow(form) {
  if (form.dataset.followed) return;
  form.dataset.followed = "yes";
  const url = `/borradores/${encodeURIComponent(form.dataset.draft)}`;
  const state = form.querySelector("[data-draft-state]");
  const say = (text) => { if (state) state.textContent = text; };
  let timer = 0;
  let isTouched = false;
  let saving = null;
  const save = async () => {
    say(words().saving);
    saving = new AbortController();
    try {
      const response = await post(url, { values: JSON.stringify(values(form)) }, saving.signal);
      say(response.ok ? words().saved : words().failed);
    } catch { say(words().failed); }
  };
  form.addEventListener("input", () => { isTouched = true; clearTimeout(timer); timer = setTimeout(save, PAUSE); });
  // Before htmx, which has its own ear on forms in the drawer, takes the values.
  form.addEventListener("submit", () => { clearTimeout(timer); saving?.abort(); name(form); }, true);
  addEventListener("pagehide", () => { if (timer) clearTimeout(timer); });
  if (form.querySelector(".summary")) return; // the server has just given back what was typed
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const draft = await response.json();
    if (isTouched || !draft.values || !Object.keys(draft.values).length) return; // never over what is being typed
    fill(form, draft.values);
    form.dispatchEvent(new CustomEvent("change", { bubbles: true }));
    offerDrop(form, url);
  } catch { /* no draft, no harm */ }
}

function offerDrop(form, url) {
  const note = document.createElement("div");
  note.className = "note";
  const text = document.createElement("p");
  text.className = "grow";
  text.textContent = words().found;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-plain btn-small";
  button.textContent = words().drop;
  button.addEventListener("click", async () => { await post(`${url}/descartar`); location.reload(); });
  note.append(text, button);
  form.prepend(note);
}

export function startDrafts() {
  const look = (root) => root.querySelectorAll?.("form[data-draft]").forEach(follow);
  look(document);
  document.addEventListener("htmx:afterSettle", (event) => look(event.detail.target || document));
}
