// Adds the time of the viewer's computer to times, which are in UTC: as a second line in lists of facts,
// otherwise as the title. Without this file, times are in UTC only.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  // Swedish writes dates as the pages do.
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });

  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (!at.getTimezoneOffset()) continue;
    const text = `Your time: ${format.format(at)}`;
    const goesOn = time.nextSibling?.nodeType === Node.TEXT_NODE && time.nextSibling.data.trim();
    if (time.matches(".facts > dd > time[data-local]") && !goesOn) {
      const line = document.createElement("span");
      line.className = "beneath";
      line.textContent = text;
      time.append(line);
    } else {
      time.title = time.title ? `${time.title}\n${text}` : text;
    }
  }
});
