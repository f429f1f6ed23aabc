// An action that asks who is there: the dialog proves it again, by password or by a mailed code, and repeats the action.

import { element, post, sentence } from "./api.js";
import { countDown, fields, mark, refuse, unmark } from "./forms.js";

let challenge = null;
let stop = () => {};

/** Do it; when a fresh authentication is asked, prove it and do it again. Answer null when the person cancels. */
export async function fresh(user, act) {
  const answer = await act();
  if (answer.ok || answer.data.error.code !== "reauthentication_required") return answer;
  return (await confirmed(user)) ? act() : null;
}

function confirmed(user) {
  const dialog = element("confirm");
  for (const form of dialog.querySelectorAll("form")) {
    unmark(form);
    form.reset();
  }
  element("confirm-username").value = user.email ?? "";
  element("confirm-mail").hidden = !user.email;
  by("password");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirmed"), { once: true });
  });
}

function by(way) {
  element("confirm-by-password").hidden = way !== "password";
  element("confirm-by-code").hidden = way !== "code";
}

export async function mailCode() {
  const form = element("confirm-by-password");
  unmark(form);
  const answer = await post("/reauthenticate", {});
  if (!answer.ok) return mark(form.elements.password, sentence(answer));
  challenge = answer.data.challenge;
  element("confirm-to").textContent = challenge.hint ?? "your mailbox";
  by("code");
  stop();
  stop = countDown(element("confirm-resend"), Date.now() + challenge.resend_after * 1000);
  element("confirm-code").focus();
}

export async function confirm(form) {
  const typed = fields(form);
  const proof = typed.code ? { challenge_id: challenge.id, code: typed.code.replace(/\s/g, "") } : typed;
  delete proof.username;
  const answer = await post("/reauthenticate", proof);
  if (!answer.ok) return refuse(form, answer);
  form.reset();
  element("confirm").close("confirmed");
}
