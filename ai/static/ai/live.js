// Pages that follow a run: while it goes on they fetch what they show anew and replace what has changed.
// The page says where (data-live) and after how many milliseconds (data-wait); without data-wait nothing is fetched.
"use strict";

(() => {
  const LONGEST_MS = 5000;
  const NEAR_PX = 60;
  const seen = new WeakMap();

  // What an element was when it came from the server: later its folds are open, and copy buttons are in it.
  function original(element) {
    return seen.get(element) ?? element.outerHTML;
  }

  function plain(html) {
    return html.replace(/value="[^"]{40,}"/g, "").replace(/\s+/g, " ");
  }

  function note(root) {
    for (const part of root.querySelectorAll("[data-part]")) {
      for (const child of part.children) seen.set(child, child.outerHTML);
    }
  }

  function swap(old, fresh) {
    const open = [...old.querySelectorAll("details")].map((fold) => fold.open);
    [...fresh.querySelectorAll("details")].forEach((fold, index) => (fold.open = open[index] ?? fold.open));
    if (old.matches("details")) fresh.open = old.open;
    old.replaceWith(fresh);
  }

  // Only what changed is replaced, so that a button does not vanish under the pointer, nor a selection under a reader.
  function reconcile(part, fresh) {
    const wanted = [...fresh.children];
    wanted.forEach((child, index) => {
      const old = child.id ? part.querySelector(`:scope > #${CSS.escape(child.id)}`) : part.children[index];
      const same = old && old.id === child.id;
      if (same && plain(original(old)) === plain(child.outerHTML)) {
        if (part.children[index] !== old) part.insertBefore(old, part.children[index] ?? null);
        return;
      }
      seen.set(child, child.outerHTML);
      if (same) swap(old, child);
      else part.insertBefore(child, part.children[index] ?? null);
      if (part.children[index] !== child) part.insertBefore(child, part.children[index] ?? null);
      window.htmx?.process(child);
    });
    while (part.children.length > wanted.length) part.lastElementChild.remove();
  }

  function scroller(node) {
    for (let element = node; element; element = element.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(element).overflowY) && element.scrollHeight > element.clientHeight) return element;
    }
    return document.scrollingElement;
  }

  // Who reads the end goes on reading the end; everybody else stays where they are.
  function show(page) {
    const state = document.querySelector("[data-live]");
    const pane = scroller(state);
    const follows = pane.scrollHeight - pane.scrollTop - pane.clientHeight < NEAR_PX;
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (fresh) reconcile(part, fresh);
    }
    if (follows && pane.scrollTop > 0) pane.scrollTop = pane.scrollHeight;
    const next = page.querySelector("[data-live]");
    for (const name of ["live", "wait"]) {
      if (next?.dataset[name]) state.dataset[name] = next.dataset[name];
      else delete state.dataset[name];
    }
    return Number(state.dataset.wait) || 0;
  }

  async function look(wait) {
    const { live } = document.querySelector("[data-live]").dataset;
    let next = wait;
    try {
      const response = await fetch(live, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (response.redirected || response.status === 403 || response.status === 404) return location.reload();
      if (!response.ok) throw new Error(`${response.status}`);
      next = show(new DOMParser().parseFromString(await response.text(), "text/html"));
      if (!next) return undefined;
    } catch {
      next = Math.min(wait * 2, LONGEST_MS);
    }
    return later(next);
  }

  function later(wait) {
    setTimeout(() => look(wait), document.hidden ? LONGEST_MS : wait);
  }

  note(document);
  const wait = Number(document.querySelector("[data-live]")?.dataset.wait) || 0;
  if (wait) later(wait);
})();
