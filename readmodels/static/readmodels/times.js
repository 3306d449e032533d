// Adds the viewer's local time to times in UTC: as a second line in lists of facts, otherwise as
// the title of the element, also for sentences with times. Without this file, times are in UTC
// only.
"use strict";

// A time without a date is today's, such as the end of a claim.
const SENTENCE_TIME = /(?:(\d{4}-\d\d-\d\d) )?\b(\d\d:\d\d(?::\d\d)?) UTC\b/g;

function* sentences() {
  const texts = document.createTreeWalker(document.querySelector("main") ?? document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const place = texts.currentNode.parentElement;
    if (!place.closest("time, bdi, option, script, textarea")) yield [place, texts.currentNode.data];
  }
}

function addToSentences(format) {
  const today = new Date().toISOString().slice(0, 10);
  for (const [place, text] of sentences()) {
    for (const [, day, time] of text.matchAll(SENTENCE_TIME)) {
      const at = new Date(`${day ?? today}T${time}Z`);
      if (!at.getTimezoneOffset()) continue; // UTC, or a text such as 25:00
      const local = format.format(at);
      const title = `Your time: ${day ? local : local.slice(-5)}`;
      place.title = place.title ? `${place.title}\n${title}` : title;
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  // Swedish writes dates as the pages do.
  const format = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });

  addToSentences(format);
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
