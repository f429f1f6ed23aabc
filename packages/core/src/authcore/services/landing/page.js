
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

function mark(names) {
  for (const input of form.querySelectorAll("input")) {
    if (names.includes(input.name)) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  const first = form.querySelector("[aria-invalid]");
  if (first) first.focus();
}

function finish(text) {
  form.hidden = true;
  document.getElementById("text").hidden = true;
  document.getElementById("home").hidden = false;
  say(text, false);
  answer.focus();
}

function refuse(told) {
  const details = told.error.details || [];
  say(details.map((detail) => detail.message).join(" ") || told.error.message, true);
  mark(details.map((detail) => detail.field));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const empty = [...form.querySelectorAll("input[required]")].filter((input) => !input.value);
  mark(empty.map((input) => input.name));
  if (empty.length) return say("This field is required.", true);
  const button = form.querySelector("button");
  button.disabled = true;
  say("", false);
  try {
    const response = await fetch(form.dataset.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...Object.fromEntries(new FormData(form)), token }),
    });
    const told = await response.json();
    // The link was right, and the sign-in asks for more, which this page has no form for.
    if (response.status === 202 && told.challenge) return finish("That was right. One more step is asked: sign in.");
    if (response.ok) return finish(form.dataset.done);
    refuse(told);
  } catch (error) {
    say("The server cannot be reached. Try again.", true);
  }
  button.disabled = false;
});

if (!token) {
  form.hidden = true;
  say("This link is not whole. Open it from the mail again.", true);
}
