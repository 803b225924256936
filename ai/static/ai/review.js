// Reviewing by keyboard: answers by number, drafts that keep themselves, and the next item without leaving the page.
"use strict";

(() => {
  const DRAFT_MS = 1200;
  let timer = 0;
  let busy = false;
  let here = location.pathname;

  const form = () => document.getElementById("r-form");
  const questions = () => [...document.querySelectorAll("#r-form [data-question]")];

  function current() {
    return document.querySelector("#r-form .r-current") || questions()[0];
  }

  function mark(field) {
    for (const each of questions()) each.classList.toggle("r-current", each === field);
  }

  function isAnswered(field) {
    return Boolean(field.querySelector("input:checked")) || [...field.querySelectorAll("textarea, input[type=number]")].some((each) => each.value);
  }

  function start() {
    if (!form()) return;
    const open = questions().filter((field) => !isAnswered(field));
    mark(open.find((field) => field.querySelector(".r-choice")) || open[0] || questions()[0]);
  }

  function press(number) {
    const field = current();
    const input = field?.querySelectorAll(".r-choice input")[number - 1];
    if (!input || input.disabled) return;
    input.checked = input.type === "checkbox" ? !input.checked : true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const all = questions();
    const next = all.slice(all.indexOf(field) + 1).find((each) => each.querySelector(".r-choice"));
    if (input.type === "radio" && next) mark(next);
  }

  async function keepDraft() {
    timer = 0;
    const mine = form();
    if (!mine || "answered" in mine.dataset) return;
    const said = document.getElementById("r-kept");
    try {
      const response = await fetch(mine.dataset.draft, { method: "POST", body: new FormData(mine), credentials: "same-origin" });
      const answer = await response.json();
      if (said) said.textContent = response.ok ? "Your draft is kept." : answer.error;
    } catch {
      if (said) said.textContent = "Your draft could not be kept; it is still on this page.";
    }
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(keepDraft, DRAFT_MS);
  }

  // What was typed a moment ago is not lost by going elsewhere.
  async function keepWhatIsTyped() {
    if (!timer) return;
    clearTimeout(timer);
    await keepDraft();
  }

  // The server answers with the next page; only its middle is put in place, so that the next item is there at once.
  async function go(url, body) {
    if (busy) return undefined;
    busy = true;
    let leaves = false;
    const leave = (how) => {
      leaves = true; // whoever presses once more would answer again what is answered
      how();
    };
    try {
      if (url.endsWith("/submit/")) clearTimeout(timer);
      else await keepWhatIsTyped();
      const headers = { "X-Requested-With": "review" };
      const response = await fetch(url, { method: "POST", body, headers, credentials: "same-origin" });
      if (response.headers.get("Content-Type")?.includes("json")) {
        const { go: to } = await response.json();
        return leave(() => location.assign(to));
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("r-page");
      if (!fresh) return leave(() => location.reload());
      document.getElementById("r-page").replaceWith(fresh);
      const address = response.headers.get("X-Address");
      if (address) {
        history.pushState(null, "", address);
        here = location.pathname;
      }
      window.scrollTo(0, 0);
      start();
    } catch {
      const said = document.getElementById("r-kept");
      if (said) said.textContent = "The server did not answer. Nothing is lost: try again.";
    } finally {
      busy = leaves;
    }
    return undefined;
  }

  function isTyping() {
    const active = document.activeElement;
    return active && (active.isContentEditable || /^(TEXTAREA|SELECT)$/.test(active.tagName) || (active.tagName === "INPUT" && !/^(radio|checkbox)$/.test(active.type)));
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "r-form" && event.target.id !== "r-undo") return;
    event.preventDefault();
    go(event.submitter?.getAttribute("formaction") || event.target.action, new FormData(event.target));
  });

  document.addEventListener("change", (event) => event.target.closest("#r-form") && later());
  document.addEventListener("input", (event) => event.target.closest("#r-form") && later());
  document.addEventListener("focusin", (event) => {
    const field = event.target.closest("#r-form [data-question]");
    if (field) mark(field);
  });

  // From message to message of what is reviewed, or from answer to answer; where nothing has the focus, to what is in sight.
  function move(by) {
    const all = [...document.querySelectorAll("#r-material :is(.c-turn, .c-answer)")];
    if (!all.length) return;
    const place = all.indexOf(document.activeElement.closest?.(".c-turn, .c-answer"));
    const inSight = all.findIndex((each) => each.getBoundingClientRect().bottom > 0);
    const next = all[Math.max(0, Math.min(all.length - 1, place < 0 ? inSight : place + by))];
    next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  function unfold() {
    const folds = [...document.querySelectorAll("#r-material details")];
    const open = folds.some((fold) => !fold.open);
    for (const fold of folds) fold.open = open;
  }

  function act(action) {
    if (action.startsWith("answer_")) press(Number(action.slice("answer_".length)));
    else if (action === "next" || action === "previous") move(action === "next" ? 1 : -1);
    else if (action === "unfold") unfold();
    else document.querySelector(`#r-page [data-key=${action}]`)?.click();
  }

  // Before the pages of threads hear of it, to whom some of these keys mean something else.
  window.addEventListener(
    "keydown",
    (event) => {
      const action = form() && window.aiKeys.action(event);
      if (!action || window.aiKeys.isCovered(action) || (isTyping() && window.aiKeys.types(event))) return;
      event.preventDefault();
      event.stopPropagation();
      act(action);
    },
    true,
  );

  // A step to an anchor of the same page is one, too.
  window.addEventListener("popstate", () => location.pathname !== here && location.reload());
  document.addEventListener("DOMContentLoaded", start);
})();
