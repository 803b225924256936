// Comments beside a transcript: the panel of a message, commenting on selected words, and marking the words that are commented on.
"use strict";

(() => {
  const WIDE = "(min-width: 1200px)";
  const MOST = 1000;
  const data = () => document.getElementById("k-data");
  const panel = () => document.getElementById("k-panel");
  const article = (key) => document.getElementById(`m-${key}`);
  const saidOf = (key) => article(key)?.querySelector("[data-said]");
  const pick = document.createElement("button");

  // -- The text of a message, as the server counts it: text nodes one after the other, in code points.
  function nodesOf(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const found = [];
    let start = 0;
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (node.parentElement.closest(".c-copy")) continue;
      found.push({ node, start });
      start += node.data.length;
    }
    return found;
  }

  const textOf = (nodes) => nodes.map((each) => each.node.data).join("");
  const points = (text) => [...text].length;

  function offsetOf(nodes, container, offset) {
    const at = document.createRange();
    at.setStart(container, offset);
    let place = 0;
    for (const { node, start } of nodes) {
      if (node === container) return start + offset;
      if (at.comparePoint(node, 0) > 0) return start;
      place = start + node.data.length;
    }
    return place;
  }

  function rangeOf(nodes, start, end) {
    const range = document.createRange();
    for (const each of nodes) {
      const last = each.start + each.node.data.length;
      if (start >= each.start && start < last) range.setStart(each.node, start - each.start);
      if (end > each.start && end <= last) {
        range.setEnd(each.node, end - each.start);
        return range;
      }
    }
    return null;
  }

  // The selected words of one message: which, where, and of which message.
  function selected() {
    const selection = document.getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    const holder = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest("[data-said]");
    const root = holder(range.startContainer);
    const turn = root?.closest(".c-turn");
    if (!turn || holder(range.endContainer) !== root) return null;
    const nodes = nodesOf(root);
    const text = textOf(nodes);
    let start = offsetOf(nodes, range.startContainer, range.startOffset);
    let end = offsetOf(nodes, range.endContainer, range.endOffset);
    while (start < end && /\s/.test(text[start])) start += 1;
    while (end > start && /\s/.test(text[end - 1])) end -= 1;
    const quote = text.slice(start, end);
    if (!quote || points(quote) > MOST) return null;
    return { message: turn.id.slice(2), quote, start: points(text.slice(0, start)), rect: range.getBoundingClientRect() };
  }

  // -- Words that are commented on are marked where they are found; the page itself stays as it is.
  let quotes = [];

  function mark() {
    if (!window.CSS?.highlights || !window.Highlight) return;
    const ranges = quotes.map(found).filter(Boolean);
    CSS.highlights.set("k-comment", new Highlight(...ranges));
  }

  function found({ message, start, quote }) {
    const root = saidOf(message);
    if (!root) return null;
    const nodes = nodesOf(root);
    const text = textOf(nodes);
    const places = [];
    for (let at = text.indexOf(quote); at >= 0 && places.length < 200; at = text.indexOf(quote, at + 1)) places.push(at);
    if (!places.length) return null;
    const near = (at) => Math.abs(points(text.slice(0, at)) - start);
    const place = places.reduce((best, at) => (near(at) < near(best) ? at : best));
    return rangeOf(nodes, place, place + quote.length);
  }

  async function look() {
    const { quotes: url } = data()?.dataset || {};
    if (!url) return;
    const response = await fetch(url, { credentials: "same-origin" }).catch(() => null);
    if (response?.ok) quotes = (await response.json()).quotes;
    mark();
  }

  // The panel says which words of its message are commented on now; the page need not be asked.
  function remark(shown) {
    const message = shown.dataset.message;
    const open = shown.querySelectorAll(".k-thread:not(.k-resolved) .k-quote[data-start]");
    const now = [...open].map((each) => ({ message, start: Number(each.dataset.start), quote: each.textContent }));
    quotes = [...quotes.filter((each) => each.message !== message), ...now];
    mark();
  }

  // -- What is being written stays whatever becomes of the panel: by message, and then by text area.
  const drafts = new Map();

  // What stands in a text area and is not kept yet; a refused comment comes back as what its text area came with.
  function draftOf(area) {
    const { quote, start } = area.form.elements;
    const isNew = area.value !== (area.id.startsWith("k-edit-") ? area.defaultValue : "");
    return isNew || quote?.value ? { text: area.value, quote: quote?.value, start: start?.value } : null;
  }

  function keep() {
    const shown = panel();
    if (!shown) return;
    const mine = drafts.get(shown.dataset.message) || new Map();
    for (const area of shown.querySelectorAll("textarea")) {
      const draft = draftOf(area);
      if (draft) mine.set(area.id, draft);
      else mine.delete(area.id);
    }
    drafts.set(shown.dataset.message, mine);
  }

  function restore() {
    for (const [id, draft] of drafts.get(panel().dataset.message) || []) {
      const area = document.getElementById(id);
      if (!area) continue;
      area.value = draft.text;
      const fold = area.closest("details");
      if (fold) fold.open = true;
      if (draft.quote) about(draft);
    }
  }

  // What was written for a form that is no more becomes a new comment, unless one is being written.
  function rescue(id) {
    const mine = drafts.get(panel()?.dataset.message);
    const field = document.getElementById("k-text");
    if (!mine?.has(id) || !field || field.value || document.getElementById(id)) return;
    field.value = mine.get(id).text;
    mine.delete(id);
  }

  // -- The panel
  function put(fresh, done) {
    keep();
    if (done) drafts.get(fresh.dataset.message)?.delete(done);
    panel()?.remove();
    const home = article(fresh.dataset.message)?.querySelector(".c-bubble");
    if (home && !window.matchMedia(WIDE).matches) home.append(fresh);
    else document.querySelector(".c-columns").append(fresh);
    const link = document.querySelector(`[data-comments="${CSS.escape(fresh.dataset.message)}"]`);
    const count = Number(fresh.dataset.count);
    if (link) {
      link.querySelector(".k-count").textContent = count || "";
      link.setAttribute("aria-label", link.getAttribute("aria-label").replace(/: .*$/, "") + (count ? `: ${count}` : ""));
    }
    for (const each of document.querySelectorAll("[data-comments]")) each.classList.toggle("k-is-open", each === link);
    restore();
    remark(fresh);
  }

  const STAYS = "What you wrote is still here.";
  const UNREACHED = `The server did not answer. ${STAYS} Try again.`;
  const SIGNED_OUT = `You are signed out. ${STAYS} Copy it, and sign in again.`;
  const REFUSED = {
    403: `You may not do this any more, or have signed in anew. ${STAYS} Copy it, and reload the page.`,
    404: `It was deleted meanwhile. ${STAYS} Copy it, and reload the page.`,
  };

  // The panel as the server answers it; otherwise why there is none.
  async function ask(url, options) {
    const asked = { credentials: "same-origin", headers: { "X-Requested-With": "comments" }, ...options };
    const response = await fetch(url, asked).catch(() => null);
    if (!response) throw new Error(UNREACHED);
    if (response.redirected) throw new Error(SIGNED_OUT);
    if (!response.ok) throw new Error(REFUSED[response.status] || `The server could not do it. ${STAYS} Try again.`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("k-panel");
    if (!fresh) throw new Error(SIGNED_OUT);
    return document.adoptNode(fresh);
  }

  // What went wrong is said in the panel, or at the message whose panel did not come.
  function say(error, key) {
    let line = document.getElementById("k-problem");
    if (!line) {
      line = document.createElement("p");
      line.id = "k-problem";
      line.className = "ai-note ai-red";
      line.setAttribute("role", "alert");
    }
    const shown = panel();
    if (shown) shown.querySelector(".k-said").after(line);
    else article(key).querySelector(".c-bubble").append(line);
    line.textContent = error.message;
    line.scrollIntoView({ block: "nearest" });
  }

  async function load(key) {
    try {
      put(await ask(`${data().dataset.url}?message=${encodeURIComponent(key)}`));
      document.getElementById("k-problem")?.remove();
      return true;
    } catch (error) {
      say(error, key);
      return false;
    }
  }

  async function open(key, quoted) {
    if (panel()?.dataset.message !== key && !(await load(key))) return;
    if (quoted) about(quoted);
    const field = document.getElementById("k-text");
    if (quoted && field) field.focus();
    else panel()?.focus({ preventScroll: true });
    panel()?.scrollIntoView({ block: "nearest" });
  }

  function close() {
    const key = panel()?.dataset.message;
    keep();
    panel()?.remove();
    for (const each of document.querySelectorAll(".k-is-open")) each.classList.remove("k-is-open");
    if (key) article(key)?.focus({ preventScroll: true });
  }

  function about(quoted) {
    const form = panel()?.querySelector(".k-new");
    if (!form) return;
    form.elements.quote.value = quoted?.quote || "";
    form.elements.start.value = quoted?.start ?? "";
    const shown = form.querySelector("[data-quote]");
    shown.textContent = quoted?.quote || "";
    shown.hidden = form.querySelector("[data-whole]").hidden = !quoted;
  }

  async function send(form, button) {
    if (form.dataset.sent) return;
    form.dataset.sent = "yes";
    const body = new FormData(form);
    const verb = button?.value || form.querySelector("button[type=submit]").value;
    body.set("do", verb);
    const mine = form.querySelector("textarea")?.id;
    try {
      const fresh = await ask(form.getAttribute("action"), { method: "POST", body });
      const isRefused = fresh.querySelector("[role=alert]") !== null;
      put(fresh, isRefused ? "" : mine);
      if (isRefused && mine) rescue(mine);
      fresh.focus({ preventScroll: true });
    } catch (error) {
      delete form.dataset.sent;
      say(error, body.get("message"));
    }
  }

  // -- What people do
  function offer() {
    const quoted = data()?.hasAttribute("data-may-write") ? selected() : null;
    if (!quoted) return pick.remove();
    document.body.append(pick);
    const key = window.aiKeys?.keyOf("comment");
    pick.title = `Comment on these words${key ? ` (${key})` : ""}`;
    const top = quoted.rect.top > 44 ? quoted.rect.top - 38 : quoted.rect.bottom + 6;
    pick.style.top = `${top}px`;
    pick.style.left = `${Math.max(8, Math.min(window.innerWidth - 130, quoted.rect.left))}px`;
    return undefined;
  }

  function comment() {
    const quoted = selected();
    const key = quoted?.message || document.activeElement.closest?.(".c-turn")?.id.slice(2);
    pick.remove();
    if (key) open(key, quoted);
    return Boolean(key);
  }

  function isTyping() {
    const active = document.activeElement;
    return active && (active.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName));
  }

  pick.type = "button";
  pick.className = "c-button c-button-main c-button-small k-pick";
  pick.textContent = "Comment";
  pick.addEventListener("mousedown", (event) => event.preventDefault());
  pick.addEventListener("click", comment);

  document.addEventListener("selectionchange", () => {
    clearTimeout(pick.timer);
    pick.timer = setTimeout(offer, 150);
  });
  window.addEventListener("scroll", () => pick.remove(), { capture: true, passive: true });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-comments], #k-panel [data-close], #k-panel [data-whole]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if ("close" in link.dataset) close();
    else if ("whole" in link.dataset) about(null);
    else open(link.dataset.comments);
  });

  document.addEventListener("submit", (event) => {
    if (!("commentForm" in event.target.dataset)) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });

  // Escape leaves what is being written, and closes the panel from everywhere else in it.
  function leave() {
    if (document.activeElement.matches("textarea") && document.activeElement.value.trim()) panel().focus({ preventScroll: true });
    else close();
  }

  function isComment(event) {
    if (window.aiKeys?.action(event) !== "comment" || window.aiKeys.isCovered("comment")) return false;
    return !(isTyping() && window.aiKeys.types(event)) && comment();
  }

  document.addEventListener("keydown", (event) => {
    const isSend = event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("#k-panel textarea");
    if (isSend) event.target.form.requestSubmit();
    else if (event.key === "Escape" && panel()?.contains(document.activeElement)) leave();
    else if (!isComment(event)) return;
    event.preventDefault();
  });

  document.addEventListener("DOMContentLoaded", () => {
    look();
    const scroller = document.getElementById("c-live");
    if (scroller) new MutationObserver(mark).observe(scroller, { childList: true, subtree: true });
    if (panel() && !window.matchMedia(WIDE).matches) put(panel());
  });
})();
