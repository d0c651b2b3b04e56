// Small states for pages, under the strict policy: expressions are names of what is here.
//   <div x-data="fold"><button @click="turn" :aria-expanded="open">…</button><div x-show="open">…</div></div>
//   <form x-data="choice" data-first="yes"><select x-model="value">…</select><div x-show="is" data-is="yes">…</div></form>
export function startAlpineParts() {
  Alpine.data("fold", () => ({
    open: false,
    init() { this.open = this.$root.dataset.open !== undefined; },
    turn() { this.open = !this.open; },
  }));
  // Shows a part of a form for certain answers: data-when="name" data-is="a b" on the part, listened to here.
  Alpine.data("dependent", () => ({
    init() {
      this.refresh();
      this.$root.addEventListener("change", () => this.refresh());
    },
    refresh() {
      for (const part of this.$root.querySelectorAll("[data-when]")) {
        const chosen = [...this.$root.querySelectorAll(`[name="${CSS.escape(part.dataset.when)}"]`)]
          .filter((field) => !["checkbox", "radio"].includes(field.type) || field.checked).map((field) => field.value);
        part.hidden = !part.dataset.is.split(" ").some((value) => chosen.includes(value));
      }
    },
  }));
}
