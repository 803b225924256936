// Completes @names while somebody types. A text area says with data-mentions where people are asked for.
"use strict";

(() => {
  const WAIT_MS = 120;
  let list = null;
  let area = null;
  let timer = 0;
  let asked = 0;

  const options = () => (list ? [...list.children] : []);
  const chosen = () => options().findIndex((each) => each.getAttribute("aria-selected") === "true");

  // What has been typed of a name before the caret; null where there is no @.
  function typed(field) {
    const before = field.value.slice(0, field.selectionStart);
    return /(?:^|[^\w@.+-])@([\w.+-]{0,150})$/.exec(before)?.[1] ?? null;
  }

  function close() {
    list?.remove();
    area?.removeAttribute("aria-activedescendant");
    area?.removeAttribute("aria-controls");
    list = area = null;
    asked += 1;
  }

  function choose(index) {
    const all = options();
    if (!all.length) return;
    const place = (index + all.length) % all.length;
    all.forEach((each, number) => each.setAttribute("aria-selected", String(number === place)));
    area.setAttribute("aria-activedescendant", all[place].id);
    all[place].scrollIntoView({ block: "nearest" });
  }

  function take(index) {
    const name = options()[index]?.dataset.name;
    const begun = area && typed(area);
    if (name === undefined || begun === null) return close();
    const field = area;
    const start = field.selectionStart - begun.length;
    field.setRangeText(`${name} `, start, field.selectionStart, "end");
    close();
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return field.focus();
  }

  function option(person, number) {
    const made = document.createElement("li");
    made.id = `k-person-${number}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", "false");
    made.dataset.name = person.name;
    const name = document.createElement("strong");
    name.textContent = `@${person.name}`;
    made.append(name);
    if (person.label) made.append(` ${person.label}`);
    made.addEventListener("mousedown", (event) => {
      event.preventDefault();
      take(number);
    });
    return made;
  }

  function show(field, people) {
    close();
    if (!people.length) return;
    area = field;
    list = document.createElement("ul");
    list.id = "k-people";
    list.className = "k-people";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People");
    list.append(...people.map(option));
    field.after(list);
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-autocomplete", "list");
    choose(0);
  }

  async function ask(field) {
    const begun = typed(field);
    if (begun === null) return close();
    const mine = (asked += 1);
    try {
      const response = await fetch(`${field.dataset.mentions}?q=${encodeURIComponent(begun)}`, { credentials: "same-origin" });
      if (!response.ok || mine !== asked) return undefined;
      const { people } = await response.json();
      return mine === asked && document.activeElement === field && typed(field) !== null ? show(field, people) : undefined;
    } catch {
      return close();
    }
  }

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches?.("textarea[data-mentions]")) return;
    clearTimeout(timer);
    if (typed(field) === null) close();
    else timer = setTimeout(() => ask(field), WAIT_MS);
  });

  const KEYS = {
    ArrowDown: () => choose(chosen() + 1),
    ArrowUp: () => choose(chosen() - 1),
    Enter: () => take(chosen()),
    Tab: () => take(chosen()),
    Escape: close,
  };

  // Before the pages hear of it, to whom some of these keys mean something else.
  window.addEventListener(
    "keydown",
    (event) => {
      if (!list || event.target !== area || event.ctrlKey || event.metaKey || !KEYS[event.key]) return;
      KEYS[event.key]();
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );

  document.addEventListener("focusout", (event) => {
    if (event.target === area) close();
  });
})();
