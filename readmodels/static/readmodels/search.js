// Ctrl+K or Cmd+K moves the focus to the search in the header, which works without this file. Where
// only a link to the search is shown, the keys open the search page.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
  if (event.altKey || event.shiftKey || event.defaultPrevented) return;
  const field = document.querySelector("[data-find]");
  if (!field) return;
  event.preventDefault();
  if (field.checkVisibility()) {
    field.focus();
    field.select();
  } else {
    field.form.querySelector("a").click();
  }
});
