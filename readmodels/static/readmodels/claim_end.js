// Counts down to the end of the person's claim, and warns two minutes before it. Without this file,
// the page shows the end time only. See templates/backoffice/parts/claim_end.html.
"use strict";

(() => {
  const WARN_SECONDS = 120;
  const opened = Date.now();
  const title = document.title;

  const minutes = (left) => (left < 60 ? "less than a minute" : `${Math.ceil(left / 60)} min`);

  function warning(left) {
    if (left <= 0) return "Your claim has ended. Other reviewers can decide now.";
    if (left > WARN_SECONDS) return "";
    return `Your claim ends in ${left < 60 ? "less than a minute" : "2 minutes"}. Extend it to keep others away.`;
  }

  function show(place) {
    // The clock of the computer may be wrong, but it measures how long the page has been open, also
    // while the computer sleeps.
    const left = Number(place.dataset.claimSeconds) - (Date.now() - opened) / 1000;
    const text = place.querySelector("[data-claim-text]");
    if (text) text.textContent = text.dataset.whole.replace(/\(.*\)/, left > 0 ? `(${minutes(left)} left)` : "(ended)");
    const box = place.querySelector("[data-claim-warning]");
    // Screen readers would announce the same text again.
    if (box.textContent !== warning(left)) box.textContent = warning(left);
    document.title = warning(left) ? `${left > 0 ? "Claim ends soon" : "Claim ended"}: ${title}` : title;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll("[data-claim-seconds]")];
    for (const text of document.querySelectorAll("[data-claim-text]")) text.dataset.whole = text.textContent;
    if (!places.length) return;
    const showAll = () => places.forEach(show);
    showAll();
    setInterval(showAll, 5000);
    document.addEventListener("visibilitychange", showAll);
  });
})();
