// Which action a pressed key is on this page, as its reader has chosen it (the page says so in data-keys).
"use strict";

window.aiKeys = (() => {
  let actions;

  // As the server writes it: modifiers first, and Shift only where the key itself does not tell it.
  function named(event, isCtrl) {
    const key = event.key === " " ? "Space" : event.key;
    const isAltGr = event.getModifierState("AltGraph");
    const held = [
      !isAltGr && isCtrl && "Ctrl",
      !isAltGr && event.altKey && "Alt",
      event.metaKey && !isCtrl && "Meta",
      event.shiftKey && key.length > 1 && "Shift",
    ];
    return [...held.filter(Boolean), key].join("+");
  }

  function known() {
    const data = document.querySelector("[data-keys]")?.dataset.keys;
    const pairs = data ? Object.entries(JSON.parse(data)) : [];
    return new Map(pairs.filter(([, key]) => key).map(([action, key]) => [key, action]));
  }

  // Where Command stands for Ctrl it does so for every key that has no action of its own.
  function action(event) {
    if (event.isComposing || !event.key) return "";
    actions ??= known();
    return actions.get(named(event, event.ctrlKey)) || (event.metaKey && actions.get(named(event, true))) || "";
  }

  // The key of an action; "" where it has none.
  function keyOf(name) {
    actions ??= known();
    return [...actions].find(([, each]) => each === name)?.[0] || "";
  }

  // A key that types a letter is no command while somebody writes.
  function types(event) {
    return !(event.ctrlKey || event.metaKey || event.altKey) || event.getModifierState("AltGraph");
  }

  // Beneath an open dialog nothing is done by key, apart from what closes the dialog of keys.
  function isCovered(name) {
    return name !== "keys" && document.querySelector("[popover]:popover-open") !== null;
  }

  return { action, isCovered, keyOf, named: (event) => named(event, event.ctrlKey), types };
})();
