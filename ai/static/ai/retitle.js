// Looking through proposed titles: the page follows the job, counts what is ticked, and goes from title to title by keys.
"use strict";

(() => {
  const EVERY_MS = 1500;
  const LONGEST_MS = 10000;
  const touched = new Set();

  const ticks = () => [...document.querySelectorAll('.rt-table tbody input[type="checkbox"]')];
  const titles = () => [...document.querySelectorAll(".rt-new .c-input")];

  function count() {
    const shown = document.getElementById("rt-ticked");
    if (!shown) return;
    const boxes = ticks();
    const before = boxes.filter((box) => box.defaultChecked).length;
    const now = boxes.filter((box) => box.checked).length;
    shown.textContent = (Number(shown.dataset.elsewhere) - before + now).toLocaleString("en");
    const apply = shown.closest("button");
    const isActive = document.querySelector(".rt-progress") !== null;
    apply.disabled = isActive || Number(shown.dataset.elsewhere) - before + now === 0;
    const all = document.getElementById("rt-all");
    all.hidden = boxes.length === 0;
    all.checked = now === boxes.length && now > 0;
    all.indeterminate = now > 0 && now < boxes.length;
  }

  // A row that somebody has edited, or is in, stays; so does every row that is as it was.
  function renew(fresh) {
    for (const row of fresh.querySelectorAll(".rt-table tbody tr[id]")) {
      const old = document.getElementById(row.id);
      if (!old || old.dataset.state === row.dataset.state || touched.has(row.id) || old.contains(document.activeElement)) continue;
      old.replaceWith(row);
    }
    for (const id of ["rt-state", "rt-bar"]) {
      const old = document.getElementById(id);
      const part = fresh.getElementById(id);
      if (old && part && old.innerHTML !== part.innerHTML && !old.contains(document.activeElement)) old.replaceWith(part);
    }
    count();
  }

  async function follow(wait) {
    let next = EVERY_MS;
    try {
      const response = await fetch(location.href, { credentials: "same-origin" });
      if (response.redirected || response.status === 403 || response.status === 404) return location.reload();
      if (!response.ok) throw new Error(`${response.status}`);
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      renew(fresh);
      if (fresh.getElementById("rt-page")?.dataset.active !== "yes") return undefined;
    } catch {
      next = Math.min(wait * 2, LONGEST_MS);
    }
    setTimeout(() => follow(next), document.hidden ? LONGEST_MS : next);
    return undefined;
  }

  function step(from, by) {
    const inputs = titles();
    const next = inputs[inputs.indexOf(from) + by];
    if (next) {
      next.focus();
      next.select();
    }
    return Boolean(next);
  }

  document.addEventListener("keydown", (event) => {
    if (!document.getElementById("rt-page")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.querySelector('#rt-bar button[value="apply"]:not(:disabled)')?.click();
      return;
    }
    if (!event.target.matches?.(".rt-new .c-input") || event.altKey || event.shiftKey || event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1, Enter: 1 }[event.key];
    if (by && (step(event.target, by) || event.key !== "Enter")) event.preventDefault();
  });

  document.addEventListener("input", (event) => {
    const row = event.target.closest?.(".rt-table tbody tr");
    if (row) touched.add(row.id);
    if (event.target.id === "rt-all") {
      for (const box of ticks()) {
        box.checked = event.target.checked;
        touched.add(box.closest("tr").id);
      }
    }
    count();
  });

  document.addEventListener("DOMContentLoaded", () => {
    const page = document.getElementById("rt-page");
    if (!page) return;
    count();
    if (page.dataset.active === "yes") setTimeout(() => follow(EVERY_MS), EVERY_MS);
  });
})();
