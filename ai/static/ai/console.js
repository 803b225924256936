// The conversation pages, and others with code: copying it, moving between messages, and a side panel that folds away on narrow screens.
"use strict";

(() => {
  const COPIED_MS = 1500;

  function addCopyButtons(root) {
    for (const block of root.querySelectorAll(".c-code")) {
      if (block.querySelector(".c-copy")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "c-copy";
      button.setAttribute("aria-label", "Copy this code");
      const icon = document.createElement("span");
      icon.className = "c-icon";
      icon.setAttribute("aria-hidden", "true");
      icon.textContent = "content_copy";
      const word = document.createElement("span");
      word.textContent = "Copy";
      button.append(icon, word);
      block.append(button);
    }
  }

  async function write(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      area.style.position = "fixed";
      area.style.opacity = "0";
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  }

  async function copy(button) {
    const named = button.dataset.copy && document.getElementById(button.dataset.copy);
    const done = await write((named || button.parentElement.querySelector("pre")).textContent);
    const word = button.lastElementChild;
    word.textContent = done ? "Copied" : "Select and copy it by hand";
    setTimeout(() => (word.textContent = "Copy"), COPIED_MS);
  }

  function isTyping() {
    const active = document.activeElement;
    return active && (active.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName));
  }

  function move(step) {
    const turns = [...document.querySelectorAll(".c-turn")];
    if (!turns.length) return;
    const active = turns.indexOf(document.activeElement.closest?.(".c-turn"));
    const next = turns[Math.max(0, Math.min(turns.length - 1, active < 0 ? 0 : active + step))];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  function unfold() {
    const folds = [...document.querySelectorAll(".c-page :is(.c-turns details, details.c-fold)")];
    const open = folds.some((fold) => !fold.open);
    for (const fold of folds) fold.open = open;
  }

  function follow(selector) {
    document.querySelector(selector)?.click();
  }

  const ACTIONS = {
    next: () => move(1),
    previous: () => move(-1),
    unfold,
    older: () => follow("[data-key=older]"),
    newer: () => follow("[data-key=newer]"),
    replay: () => follow("[data-key=replay]"),
    keys: () => document.getElementById("c-keys")?.togglePopover(),
  };

  function openTarget() {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView({ block: "center" });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".c-copy, [data-copy]");
    if (button) copy(button);
  });

  document.addEventListener("keydown", (event) => {
    if (!document.querySelector(".c-page")) return;
    const action = window.aiKeys?.action(event);
    if (!ACTIONS[action] || (isTyping() && window.aiKeys.types(event))) return;
    if (window.aiKeys.isCovered(action)) return;
    event.preventDefault();
    ACTIONS[action]();
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-once]")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
    for (const button of event.target.querySelectorAll("button[type=submit]")) button.setAttribute("aria-disabled", "true");
  });

  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-disabled]")) button.removeAttribute("aria-disabled");
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    addCopyButtons(document);
    const side = document.querySelector("details.c-side");
    if (side && window.matchMedia("(max-width: 1199px)").matches) side.open = false;
    openTarget();
    const scroller = document.getElementById("c-live");
    if (scroller) new MutationObserver(() => addCopyButtons(scroller)).observe(scroller, { childList: true, subtree: true });
  });
  window.addEventListener("hashchange", openTarget);
})();
