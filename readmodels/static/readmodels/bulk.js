// Selects payments of the review queue by their boxes: all on the page, or a range with Shift.
// Counts the selected ones. Without this file, the server reads the same boxes.
"use strict";

(() => {
  function start(form) {
    const boxes = [...document.querySelectorAll('input[name="payment"][form="bulk"]')];
    const page = form.querySelector('[name="all"][value="page"]');
    const view = form.querySelector('[name="all"][value="view"]');
    const selected = form.querySelector("[data-selected]");
    let last = null;

    function show() {
      const count = boxes.filter((each) => each.checked).length;
      page.checked = count === boxes.length;
      page.indeterminate = count > 0 && count < boxes.length;
      selected.hidden = false;
      selected.textContent = view?.checked ? "The first of this view" : `${count} selected`;
    }

    function press(event) {
      const box = event.target;
      if (event.shiftKey && last !== null) {
        const ends = [boxes.indexOf(last), boxes.indexOf(box)].sort((one, other) => one - other);
        for (const each of boxes.slice(ends[0], ends[1] + 1)) each.checked = box.checked;
      }
      last = box;
      if (view) view.checked = false;
      show();
    }

    for (const box of boxes) box.addEventListener("click", press);
    page.addEventListener("change", () => {
      for (const box of boxes) box.checked = page.checked;
      if (view) view.checked = false;
      show();
    });
    view?.addEventListener("change", show);
    // The browser restores the boxes when a person comes back.
    window.addEventListener("pageshow", show);
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("bulk");
    if (form) start(form);
  });
})();
