// The feedback inbox by keyboard: cards, states and severities, without leaving the page.
"use strict";

(() => {
  const BUTTONS = ["assign", "triage", "snooze", "resolve", "dismiss", "open", "undo", "merge", "suggested"];
  const OTHERS = {
    next: () => soon(() => step(1)),
    previous: () => soon(() => step(-1)),
    pick: () => soon(pick),
    keys: () => press("#i-page [data-key=keys]"),
    note: () => soon(() => document.getElementById("i-note")?.focus()),
    label: () => soon(() => document.getElementById("i-label")?.focus()),
  };
  const drafts = new Map();
  let work = Promise.resolve();

  const page = () => document.getElementById("i-page");
  const cards = () => [...document.querySelectorAll("#i-list .i-card")];
  const picks = () => [...document.querySelectorAll("#i-list input[name=pick]:checked")].map((each) => each.value);
  const openCard = () => document.querySelector("#i-list .i-open");

  // One thing after the other, so that quick fingers lose no key.
  function soon(act) {
    work = work.then(act).catch(() => say("The server did not answer. Nothing is lost: try again."));
    return work;
  }

  function say(words) {
    const said = document.getElementById("i-said");
    if (said) said.textContent = words;
  }

  function keepDraft() {
    const note = document.getElementById("i-note");
    if (note) drafts.set(page().dataset.item, note.value);
  }

  // The server answers with the whole page; only its middle is put in place, so that the next card is there at once.
  async function swap(url, options, chosen, told) {
    keepDraft();
    const response = await fetch(url, { credentials: "same-origin", headers: { "X-Requested-With": "inbox" }, ...options });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("i-page");
    if (!fresh) return location.assign(options.method ? location.href : response.url);
    if (told) drafts.delete(told); // only now: a note that did not arrive is not lost
    const top = document.getElementById("i-list").scrollTop;
    const goesOn = fresh.dataset.item !== page().dataset.item;
    page().replaceWith(fresh);
    history.replaceState(null, "", response.headers.get("X-Address") || response.url);
    settle(top, chosen, goesOn);
    return undefined;
  }

  function settle(top, chosen, goesOn) {
    for (const box of document.querySelectorAll("#i-list input[name=pick]")) box.checked = chosen.includes(box.value);
    const note = document.getElementById("i-note");
    if (note) note.value = drafts.get(page().dataset.item) || "";
    const list = document.getElementById("i-list");
    list.scrollTop = top;
    if (goesOn) window.scrollTo(0, 0);
    if (goesOn || document.activeElement === document.body) openCard()?.querySelector("a").focus({ preventScroll: true });
    openCard()?.scrollIntoView({ block: "nearest" });
    count();
  }

  function count() {
    const number = picks().length;
    if (number) say(`${number} chosen. What you press next is done to all of them.`);
  }

  function step(by) {
    const all = cards();
    const place = all.indexOf(openCard());
    const next = all[place < 0 ? 0 : place + by];
    const link = next?.querySelector("a") || (by > 0 && document.querySelector("#i-list [data-later]"));
    return link ? swap(link.href, {}, picks()) : undefined;
  }

  function pick() {
    const box = openCard()?.querySelector("input[name=pick]");
    if (!box) return;
    box.checked = !box.checked;
    say(box.checked ? "" : "Nothing is chosen.");
    count();
  }

  function send(form, button) {
    const body = new FormData(form);
    if (button?.name) body.set(button.name, button.value);
    if (!body.has("pick")) for (const key of picks()) body.append("pick", key);
    const told = button?.value === "note" ? page().dataset.item : "";
    return swap(form.action, { method: "POST", body }, [], told);
  }

  // What a button does is looked up when its turn comes: the page may be another by then.
  function press(selector) {
    const button = document.querySelector(selector);
    if (!button) return undefined;
    return button.form && button.type === "submit" ? send(button.form, button) : button.click();
  }

  function isTyping() {
    const active = document.activeElement;
    return active && (active.isContentEditable || /^(TEXTAREA|SELECT)$/.test(active.tagName) || (active.tagName === "INPUT" && active.type !== "checkbox"));
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.id === "i-filters") {
      event.preventDefault();
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      soon(() => swap(`?${query}`, {}, []));
    } else if (form.id === "i-form" || "inbox" in form.dataset) {
      event.preventDefault();
      const button = event.submitter;
      soon(() => send(form, button));
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.form?.id === "i-filters") event.target.form.requestSubmit();
    if (event.target.name === "pick") count();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("#i-list a");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    soon(() => swap(link.href, {}, picks()));
  });

  function selectorOf(event) {
    const action = window.aiKeys.action(event);
    if (BUTTONS.includes(action) || action.startsWith("severity_")) return `#i-page [data-key=${action}]`;
    const macro = !action && event.key && `#i-page [data-macro="${CSS.escape(event.key)}"]`;
    return macro && window.aiKeys.types(event) && document.querySelector(macro) ? macro : "";
  }

  function act(event) {
    if (window.aiKeys.isCovered(window.aiKeys.action(event))) return false;
    const other = OTHERS[window.aiKeys.action(event)];
    const selector = other ? "" : selectorOf(event);
    if (other) other();
    else if (selector) soon(() => press(selector));
    return Boolean(other || selector);
  }

  // Before the pages of threads hear of it, to whom some of these keys mean something else.
  window.addEventListener(
    "keydown",
    (event) => {
      if (!page()) return;
      const isSend = event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "i-note";
      if (isSend) event.target.form.requestSubmit(event.target.form.querySelector("button"));
      else if (event.key === "Escape" && isTyping() && page().contains(document.activeElement)) document.activeElement.blur();
      else if ((isTyping() && window.aiKeys.types(event)) || !act(event)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
})();
