// The chooser of a list's columns: each can be moved, also without a mouse. What it shows is what the form sends.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest(".v-columns button[data-by]");
  if (!button) return;
  const item = button.closest("li");
  const isForward = button.dataset.by === "-1";
  const other = isForward ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (isForward) other.before(item);
  else other.after(item);
  button.focus();
  const all = [...item.parentElement.children];
  const said = item.closest("form").querySelector("[data-moved]");
  said.textContent = `${item.querySelector("label span").textContent} is column ${all.indexOf(item) + 1} of ${all.length}.`;
});

for (const moves of document.querySelectorAll(".v-moves[hidden]")) moves.hidden = false;
