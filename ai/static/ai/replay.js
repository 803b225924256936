// The page that compares replays: diff or plain, and answers that grow while models write them.
"use strict";

(() => {
  const EVERY_MS = 400;
  const LONGEST_MS = 5000;

  function show(view) {
    const answers = document.querySelector(".c-answers");
    if (!answers) return;
    answers.dataset.view = view;
    for (const button of document.querySelectorAll("[data-show]")) {
      button.setAttribute("aria-pressed", String(button.dataset.show === view));
    }
  }

  function plain(part) {
    return part.outerHTML.replace(/value="[^"]{40,}"|data-sent="yes"|aria-disabled="true"/g, "").replace(/\s+/g, " ");
  }

  function swap(old, fresh) {
    const open = [...old.querySelectorAll("details")].map((fold) => fold.open);
    [...fresh.querySelectorAll("details")].forEach((fold, index) => (fold.open = open[index] ?? fold.open));
    old.replaceWith(fresh);
  }

  // Only what changed is replaced, so that a button does not vanish under the pointer.
  function apply(answer) {
    const box = document.getElementById(`answer-${answer.key}`);
    if (!box || box.dataset.version === answer.version) return;
    const holder = document.createElement("template");
    holder.innerHTML = answer.html;
    const fresh = [...holder.content.children];
    const old = [...box.children];
    box.dataset.version = answer.version;
    if (fresh.length !== old.length) return box.replaceChildren(...fresh);
    fresh.forEach((part, index) => plain(part) !== plain(old[index]) && swap(old[index], part));
    return undefined;
  }

  async function poll(url, wait) {
    let next = wait;
    try {
      const response = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (response.redirected || response.status === 403 || response.status === 404) return location.reload();
      if (!response.ok) throw new Error(`${response.status}`);
      const state = await response.json();
      state.answers.forEach(apply);
      const status = document.getElementById("c-status");
      if (status && status.textContent !== state.status) status.textContent = state.status;
      if (!state.active) return undefined;
      next = EVERY_MS;
    } catch {
      next = Math.min(wait * 2, LONGEST_MS);
    }
    setTimeout(() => poll(url, next), document.hidden ? LONGEST_MS : next);
    return undefined;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show]");
    if (button) show(button.dataset.show);
  });

  document.addEventListener("keydown", (event) => {
    if (window.aiKeys.action(event) !== "diff") return;
    if (window.aiKeys.types(event) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    show(document.querySelector(".c-answers")?.dataset.view === "diff" ? "plain" : "diff");
  });

  document.addEventListener("DOMContentLoaded", () => {
    const live = document.getElementById("c-live");
    if (live && live.dataset.active === "yes") setTimeout(() => poll(live.dataset.url, EVERY_MS), EVERY_MS);
  });
})();
