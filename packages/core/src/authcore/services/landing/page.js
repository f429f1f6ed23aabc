
"use strict";
const form = document.getElementById("form");
const answer = document.getElementById("answer");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
// The secret leaves the address bar, so that it is in no history and in no link that is copied.
history.replaceState(null, "", location.pathname);

function say(text, wrong) {
  answer.textContent = text;
  answer.className = wrong ? "wrong" : "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  const body = Object.fromEntries(new FormData(form));
  body.token = token;
  try {
    const response = await fetch(form.dataset.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const told = await response.json();
    if (response.ok) {
      form.hidden = true;
      document.getElementById("text").hidden = true;
      document.getElementById("home").hidden = false;
      say(form.dataset.done, false);
      return;
    }
    const details = (told.error.details || []).map((detail) => detail.message).join(" ");
    say(details || told.error.message, true);
  } catch (error) {
    say("The server cannot be reached. Try again.", true);
  }
  button.disabled = false;
});

if (!token) {
  form.hidden = true;
  say("This link is not whole. Open it from the mail again.", true);
}
