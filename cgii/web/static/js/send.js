// Posts to our own server with the session's token; gives back the answer.
export function post(url, values = {}, signal = undefined) {
  const body = values instanceof FormData ? values : new URLSearchParams(values);
  const headers = { "X-CSRF-Token": document.querySelector('meta[name="csrf"]').content, "HX-Request": "true" };
  return fetch(url, { method: "POST", body, headers, credentials: "same-origin", signal });
}

// Does with the answer's headers what htmx would do: a toast, another page.
export function obey(response) {
  const trigger = response.headers.get("HX-Trigger");
  if (trigger) {
    const events = JSON.parse(trigger);
    for (const name of Object.keys(events)) {
      document.body.dispatchEvent(new CustomEvent(name, { detail: events[name], bubbles: true }));
    }
  }
  const where = response.headers.get("HX-Redirect");
  if (where) location.assign(where);
  return response;
}
