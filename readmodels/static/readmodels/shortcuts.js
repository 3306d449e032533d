// Single keys press the buttons that show them as <kbd data-key="a">a</kbd>. The keys are those of
// readmodels/admin/review/actions.py. Keys do nothing while a person types, or together with Ctrl, Alt or Meta.
// The list that "?" opens can switch them off permanently. Every button also works without this file.
"use strict";

(() => {
  const OFF = "shortcutsOff";
  const TYPING = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";
  let list = null;

  const isOff = () => localStorage.getItem(OFF) === "1";
  const keys = () => [...document.querySelectorAll("kbd[data-key]")];
  const button = (kbd) => kbd.closest("a, button");

  function label(kbd) {
    const copy = button(kbd).cloneNode(true);
    copy.querySelectorAll("kbd, .material-symbols-outlined").forEach((each) => each.remove());
    return copy.textContent.trim();
  }

  function show() {
    for (const kbd of keys()) {
      kbd.hidden = isOff() && kbd.dataset.key !== "?";
      if (kbd.hidden) button(kbd).removeAttribute("aria-keyshortcuts");
      else button(kbd).setAttribute("aria-keyshortcuts", kbd.dataset.key);
    }
    document.querySelectorAll("[data-shortcuts]").forEach((hint) => { hint.hidden = false; });
  }

  function element(name, text, ...children) {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  }

  function makeList() {
    const rows = keys()
      .filter((kbd) => kbd.dataset.key !== "?")
      .flatMap((kbd) => [
        element("dt", "", element("kbd", kbd.dataset.key)),
        element("dd", label(kbd)),
      ]);
    const box = element("input");
    box.type = "checkbox";
    box.checked = !isOff();
    box.addEventListener("change", () => {
      localStorage.setItem(OFF, box.checked ? "0" : "1");
      show();
    });
    const close = element("button", "Close");
    const title = element("h2", "Keyboard shortcuts");
    title.id = "shortcuts-title";
    const made = element(
      "dialog",
      "",
      title,
      element("dl", "", ...rows, element("dt", "", element("kbd", "?")), element("dd", "Show this list")),
      element("label", "", box, " Use single-key shortcuts"),
      element("form", "", close),
    );
    made.lastChild.method = "dialog";
    made.className = "shortcuts";
    made.setAttribute("aria-labelledby", title.id);
    document.body.append(made);
    return made;
  }

  function openList() {
    list?.remove();
    list = makeList();
    list.showModal();
  }

  function press(event) {
    if (event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest?.(TYPING)) return;
    if (list?.open) return;
    if (isOff() && event.key !== "?") return;
    const kbd = keys().find((each) => each.dataset.key === event.key);
    if (!kbd) return;
    event.preventDefault();
    button(kbd).click();
  }

  // The page is hidden while it is built, so the browser cannot set the focus itself.
  window.addEventListener("load", () => {
    const row = location.hash.startsWith("#row-") && document.getElementById(location.hash.slice(1));
    const first = (row && row.closest("a")) || document.querySelector("[autofocus]");
    if (first) first.focus();
    else document.querySelector("[data-focus]")?.focus({ preventScroll: true });
  });

  document.addEventListener("DOMContentLoaded", () => {
    if (!keys().length) return;
    show();
    document.querySelectorAll("[data-shortcuts]").forEach((hint) => {
      hint.addEventListener("click", openList);
    });
    document.addEventListener("keydown", press);
  });
})();
