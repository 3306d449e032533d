// Buttons that copy an id or a reference. Without this file, or without a clipboard, they stay hidden.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const buttons = document.querySelectorAll("[data-copy]");
  // Browsers offer a clipboard over HTTPS and on localhost only.
  if (!buttons.length || !navigator.clipboard) return;
  const status = document.createElement("span");
  status.className = "sr-only";
  status.setAttribute("role", "status");
  document.getElementById("page-content").append(status);

  function report(button, text, icon) {
    status.textContent = text;
    button.title = text;
    button.firstElementChild.textContent = icon;
    setTimeout(() => {
      status.textContent = "";
      button.title = "Copy";
      button.firstElementChild.textContent = "content_copy";
    }, 2000);
  }

  for (const button of buttons) {
    button.hidden = false;
    button.title = "Copy";
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(button.dataset.copy).then(
        () => report(button, "Copied", "check"),
        () => report(button, "The browser refused to copy", "close"),
      );
    });
  }
});
