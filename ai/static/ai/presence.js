// Who else is looking: while the page is seen it says so every few seconds, and shows the others.
"use strict";

(() => {
  const SETTLE_MS = 800;
  let place = "";
  let timer = 0;

  const said = () => document.querySelector("[data-here]");

  function token() {
    return document.querySelector("input[name=csrfmiddlewaretoken]")?.value || "";
  }

  function body(leave) {
    const form = new FormData();
    form.set("csrfmiddlewaretoken", token());
    if (leave) form.set("leave", "yes");
    return form;
  }

  function show(others) {
    const status = said();
    if (!status) return;
    const names = others.map((each) => each.name);
    const words = names.length ? `${new Intl.ListFormat("en").format(names)} ${names.length > 1 ? "are" : "is"} viewing` : "";
    if (status.dataset.words === words) return;
    status.dataset.words = words;
    const badges = others.map((each) => {
      const badge = document.createElement("span");
      badge.className = "p-who";
      badge.setAttribute("aria-hidden", "true");
      badge.title = `${each.name}, since ${each.clock}`;
      badge.textContent = each.initials;
      return badge;
    });
    const text = document.createElement("bdi");
    text.textContent = words;
    status.replaceChildren(...badges, ...(words ? [text] : []));
  }

  async function beat() {
    clearTimeout(timer);
    const status = said();
    if (!status || document.hidden) return;
    const url = place = status.dataset.here;
    let wait = Number(status.dataset.every) * 1000;
    try {
      const response = await fetch(url, { method: "POST", body: body(false), credentials: "same-origin", redirect: "error" });
      if (response.status === 403 || response.status === 404) return;
      if (response.status === 429) wait = Number(response.headers.get("Retry-After")) * 1000 || wait;
      if (response.ok && url === said()?.dataset.here) show((await response.json()).others);
    } catch {
      // The next beat says it again.
    }
    if (url === place) timer = setTimeout(beat, wait);
  }

  function leave() {
    clearTimeout(timer);
    if (place) navigator.sendBeacon(place, body(true));
    place = "";
  }

  // Who leafs through cards is nowhere until they stay.
  function settle() {
    if (!said() || said().dataset.here === place) return;
    leave();
    timer = setTimeout(beat, SETTLE_MS);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : beat()));
  window.addEventListener("pagehide", leave);
  document.addEventListener("DOMContentLoaded", () => {
    if (!said()) return;
    beat();
    // The inbox puts another card in place without another page.
    const content = document.getElementById("i-page")?.parentElement;
    if (content) new MutationObserver(settle).observe(content, { childList: true });
  });
})();
