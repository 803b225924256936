// The page that shows a new key once: reloading it must not send the form again and make another key.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const made = document.querySelector("[data-leads-to]");
  if (made) history.replaceState(null, "", made.dataset.leadsTo);
});
