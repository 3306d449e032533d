// Keeps an open page current: counts in the menu and on tabs, who has a payment of the queue, and
// the time left. Rows never move: a line above the list says what is new. Without this file, pages
// show the state when they were made. No requests are sent while the tab is hidden, and fewer after
// errors.
"use strict";

(() => {
  const MINUTE = 60_000;
  const SLOWEST = 10 * MINUTE;
  const COUNTDOWN = 15_000;
  let etag = null;
  let timer = null;
  let failures = 0;

  const queue = () => document.querySelector("[data-poll]");
  const badge = () => document.querySelector("[data-waiting]");

  // The same labels as time_left in readmodels/admin/base/fragments.py.
  function timeLeft(milliseconds) {
    if (milliseconds <= 0) return ["overdue", "overdue"];
    const urgency = milliseconds < 24 * 60 * MINUTE ? "soon" : "";
    const minutes = Math.ceil(milliseconds / MINUTE);
    if (minutes <= 1) return ["less than a minute left", urgency];
    if (milliseconds < 60 * MINUTE) return [`${minutes} min left`, urgency];
    const hours = Math.floor(milliseconds / (60 * MINUTE));
    const days = Math.floor(hours / 24);
    return [days > 1 ? `${days} days left` : `${hours} h left`, urgency];
  }

  // The clock of this machine may be wrong.
  const serverAhead = () => Date.parse(badge()?.dataset.now ?? "") - loaded || 0;
  const loaded = Date.now();

  function countDown() {
    const now = Date.now() + serverAhead();
    for (const each of document.querySelectorAll("time[data-countdown]")) {
      const [text, urgency] = timeLeft(Date.parse(each.dateTime) - now);
      if (each.textContent !== text) each.textContent = text;
      each.className = `left ${urgency}`;
    }
  }

  function rowOf(payment) {
    const dashed = payment.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
    return document.querySelector(`#result_list .field-money a[href*="${dashed}"]`)?.closest("tr");
  }

  function showRow(row, cells) {
    row.classList.toggle("gone", Boolean(cells.gone));
    const holder = row.querySelector(".field-claim");
    if (cells.gone) {
      if (holder) holder.textContent = cells.gone;
      return;
    }
    for (const [name, markup] of Object.entries(cells)) {
      const cell = row.querySelector(`.field-${name}`);
      if (cell) cell.innerHTML = markup;
    }
  }

  function show(answer) {
    for (const each of document.querySelectorAll("[data-waiting]")) {
      each.textContent = answer.counts[""] ?? each.textContent;
    }
    for (const each of document.querySelectorAll("[data-count]")) {
      each.textContent = answer.counts[each.dataset.count] ?? each.textContent;
    }
    for (const [payment, cells] of Object.entries(answer.rows)) {
      const row = rowOf(payment);
      if (row) showRow(row, cells);
    }
    const news = queue()?.querySelector("[data-news]");
    // Show the region first: screen readers do not announce changes in a hidden one.
    queue()?.classList.toggle("has-news", Boolean(answer.news));
    if (news && news.textContent !== answer.news) news.textContent = answer.news;
  }

  async function ask() {
    const url = queue()?.dataset.poll ?? badge().dataset.waiting;
    const headers = { Accept: "application/json", ...(etag ? { "If-None-Match": etag } : {}) };
    const answer = await fetch(url, { headers, redirect: "manual", credentials: "same-origin" });
    if (answer.status === 304) return true;
    // Signed out, or without the permission: the page itself will say so.
    if (answer.type === "opaqueredirect" || answer.status === 403) return false;
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    etag = answer.headers.get("ETag");
    return true;
  }

  async function poll() {
    timer = null;
    let goesOn = true;
    try {
      goesOn = await ask();
      failures = 0;
    } catch {
      failures += 1;
    }
    if (goesOn) wait();
  }

  function wait() {
    if (timer !== null || document.hidden) return;
    const pause = Number((queue() ?? badge()).dataset.seconds) * 1000;
    // Pages that were opened at the same time must not poll at the same time.
    const spread = 0.9 + Math.random() * 0.2;
    timer = setTimeout(poll, Math.min(pause * 2 ** failures, SLOWEST) * spread);
  }

  document.addEventListener("DOMContentLoaded", () => {
    setInterval(() => { if (!document.hidden) countDown(); }, COUNTDOWN);
    if (!badge() && !queue()) return;
    wait();
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      timer = null;
      if (document.hidden) return;
      countDown();
      poll();
    });
  });
})();
