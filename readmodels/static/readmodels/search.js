// Ctrl+K, or Cmd+K, goes to the search of the header, which works without this file. Where only its link
// is shown, the keys open the page of the search.
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
