// Creates or uses a passkey, then submits the form of the page. Passkeys need a script. Without
// this file, the page offers an authenticator app and recovery codes.
"use strict";

(() => {
  const REFUSED = "The passkey was not accepted. Try again, or use a code.";

  async function send(url, data) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(data),
      redirect: "error",
      credentials: "same-origin",
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.json();
  }

  async function ask(options) {
    if (options.user) {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      return navigator.credentials.create({ publicKey });
    }
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return navigator.credentials.get({ publicKey });
  }

  async function use(part) {
    const problem = part.querySelector("[data-problem]");
    problem.textContent = "";
    try {
      const passkey = await ask(await send(part.dataset.begin, {}));
      await send(part.dataset.complete, passkey.toJSON());
    } catch {
      problem.textContent = REFUSED;
      return;
    }
    document.getElementById(part.dataset.passkey).submit();
  }

  document.addEventListener("DOMContentLoaded", () => {
    // Browsers offer passkeys only over HTTPS or on localhost.
    if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) return;
    for (const part of document.querySelectorAll("[data-passkey]")) {
      part.hidden = false;
      part.querySelector("button").addEventListener("click", () => use(part));
    }
  });
})();
