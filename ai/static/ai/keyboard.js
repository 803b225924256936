// Choosing keys: a field takes the key that is pressed in it, and says at once which other action of its page has it.
"use strict";

(() => {
  const HELD = new Set(["Control", "Alt", "Shift", "Meta", "AltGraph", "CapsLock", "Dead", "Unidentified", "Process"]);
  const LEAVES = new Set(["Tab", "Shift+Tab", "Escape", "Enter"]);

  const form = () => document.getElementById("k-form");
  const fields = (page) => [...page.querySelectorAll("input[data-default]")];

  function wordsOf(field) {
    return field.closest(".k-row").querySelector("label").textContent;
  }

  function why(field, page) {
    if (!field.value) return "";
    const other = fields(page).find((each) => each !== field && each.value === field.value);
    const fixed = page.querySelector(`[data-fixed="${CSS.escape(field.value)}"] span`);
    if (other) return `“${wordsOf(other)}” has this key, too.`;
    if (fixed && field.value !== field.dataset.default) return `“${fixed.textContent}” has this key, too.`;
    return form().dataset.reserved.split(" ").includes(field.value) ? "The console has this key on every page." : "";
  }

  function check() {
    for (const page of form().querySelectorAll("[data-page]")) {
      for (const field of fields(page)) {
        const row = field.closest(".k-row");
        const said = row.querySelector(".k-why");
        const words = why(field, page);
        if (said.textContent !== words) said.textContent = words;
        row.classList.toggle("k-wrong", Boolean(words));
        field.setAttribute("aria-invalid", String(Boolean(words)));
      }
    }
  }

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input[data-default]");
    if (!field || event.isComposing || HELD.has(event.key)) return;
    const key = window.aiKeys.named(event);
    if (LEAVES.has(key)) return;
    event.preventDefault();
    event.stopPropagation();
    field.value = key === "Backspace" || key === "Delete" ? "" : key;
    field.select();
    check();
  });

  document.addEventListener("focusin", (event) => event.target.matches("input[data-default]") && event.target.select());
  document.addEventListener("input", check);
  document.addEventListener("DOMContentLoaded", check);
})();
