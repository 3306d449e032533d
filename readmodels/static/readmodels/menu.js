// Folds the sidebar, closes the account, switches the color scheme, hides icons from screen readers, and names
// the area of a wide table, which can be scrolled by keyboard.
// Without this file the menu is on every page, and the color scheme is light.
"use strict";

(() => {
  const FOLDED = "menuFolded";
  const root = document.documentElement;
  const wide = matchMedia("(min-width: 80rem)");
  const toggle = () => document.querySelector("[data-menu-toggle]");

  // Before the page is shown, so that the menu does not flicker.
  root.classList.toggle("menu-folded", localStorage.getItem(FOLDED) === "1");

  const isOpen = () => (wide.matches ? !root.classList.contains("menu-folded") : root.classList.contains("menu-open"));

  function open(opened) {
    if (wide.matches) {
      root.classList.toggle("menu-folded", !opened);
      localStorage.setItem(FOLDED, opened ? "0" : "1");
    } else {
      root.classList.toggle("menu-open", opened);
      // The menu covers the page.
      if (opened) document.querySelector("[data-menu-close]").focus();
      else toggle().focus();
    }
    show();
  }

  const show = () => toggle()?.setAttribute("aria-expanded", String(isOpen()));

  function close(details) {
    const hadFocus = details.contains(document.activeElement);
    details.open = false;
    if (hadFocus) details.querySelector("summary").focus();
  }

  function choose(scheme) {
    // unfold's component keeps the choice and applies it.
    window.Alpine.$data(root).adminTheme = scheme;
  }

  function chosen() {
    try {
      return JSON.parse(localStorage.getItem("adminTheme")) || "auto";
    } catch {
      return "auto";
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    toggle()?.addEventListener("click", () => open(!isOpen()));
    document.querySelector("[data-menu-close]")?.addEventListener("click", () => open(false));
    wide.addEventListener("change", show);
    show();
    for (const choice of document.querySelectorAll("[data-theme-choice]")) {
      const current = choice.querySelector(`[value="${chosen()}"]`);
      if (current) current.checked = true;
      choice.addEventListener("change", (event) => choose(event.target.value));
      choice.hidden = false;
    }
    // Screen readers would read the names of these icons. No template of ours can replace those of widgets.
    for (const icon of document.querySelectorAll("select + .material-symbols-outlined")) icon.ariaHidden = "true";
    // SimpleBar, which starts later, reads the name from here.
    const title = document.querySelector("h1")?.innerText;
    for (const area of document.querySelectorAll("main [data-simplebar]")) area.dataset.simplebarAriaLabel = `${title}: rows`;
    const menus = document.querySelectorAll("details[data-closes]");
    document.addEventListener("click", (event) => {
      for (const each of menus) if (!each.contains(event.target)) each.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const each of menus) if (each.open) close(each);
      if (!wide.matches && isOpen()) open(false);
    });
  });
})();
