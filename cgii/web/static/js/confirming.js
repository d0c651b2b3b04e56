// Asks before what cannot be undone; where a reason is wanted, it must be typed.
export function ask(question, { reason = false } = {}) {
  const dialog = document.getElementById("confirm");
  const field = dialog.querySelector("[data-confirm-reason]");
  const words = dialog.querySelector("textarea");
  dialog.querySelector("[data-confirm-text]").textContent = question;
  field.hidden = !reason;
  words.required = reason;
  words.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve({ yes: dialog.returnValue === "yes", reason: words.value.trim() }), { once: true });
  });
}

export function startConfirming() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-confirm]");
    if (!form || form.dataset.sure) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    const name = form.dataset.confirmField;
    const answer = await ask(form.dataset.confirm, { reason: Boolean(name) });
    if (!answer.yes) return;
    if (name) {
      const hidden = document.createElement("input");
      hidden.type = "hidden";
      hidden.name = name;
      hidden.value = answer.reason;
      form.append(hidden);
    }
    form.dataset.sure = "yes";
    form.requestSubmit(submitter);
    delete form.dataset.sure;
  }, true);
  // One press, one filing: a form that is on its way is not sent again.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post" || event.target.hasAttribute("hx-post")) return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => { delete form.dataset.sent; }));
}
