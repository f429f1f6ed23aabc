// A challenge that waits for its code, in whatever flow: one form answers them all.

import { alertWith, element, notify, post, sentence } from "./api.js";
import { countDown, fields, mark, refuse } from "./forms.js";

const PENDING = "pending-challenge"; // it survives a visit to the mailbox; it holds no credential

/** Where each flow's code goes, how another one is had, and what is said. Paths stand below the mount prefix. */
const FLOWS = {
  signUp: { verify: "/sign-up/verify", resend: "/sign-up/resend", back: "sign-up",
    done: "Your address is confirmed: welcome." },
  emailCode: { verify: "/sign-in/email-code", resend: "/sign-in/email-code/resend", back: "sign-in", remember: true },
  link: { verify: "/magic-link/consume", back: "link", perhaps: true, hint: "The link in the same mail does it too." },
  mailCode: { verify: "/code/verify", back: "mail-code", perhaps: true },
  sms: { verify: "/code/verify", back: "sms", perhaps: true },
  reset: { verify: "/password/reset/check", back: "forgot", perhaps: true, then: "new-password",
    hint: "The link in the same mail does it too." },
  emailVerify: { verify: "/email/verify/confirm", back: "home", done: "Your address is verified." },
  emailChange: { verify: "/email/change/confirm", back: "home",
    done: "Your address is changed. The mail to the earlier one can undo it." },
  passwordChange: { verify: "/password/change/verify", back: "home", done: "Your password is changed." },
  phone: { verify: "/me/phone/confirm", back: "home", done: "Your number is proven." },
  deletion: { verify: "/me/deletion/confirm", back: "home" },
  keep: { verify: "/me/deletion/cancel", back: "sign-in", title: "You are leaving", button: "Keep my account",
    done: "Your account stays: sign in as before." },
};
/** By what kind of challenge a sign-in goes on. */
const STEPS = { email_code: "emailCode", new_password: "newPassword" };

let stop = () => {};
let opened = null; // a code that was checked and opens the next form: in memory alone

export const pending = () => JSON.parse(sessionStorage.getItem(PENDING));
export const forget = () => sessionStorage.removeItem(PENDING);
export const back = () => FLOWS[pending()?.flow]?.back ?? "sign-in";
export const stepOf = (challenge) => STEPS[challenge.kind];

/** Keep a challenge: `to` is where its code went, `again` how another one is asked for. */
export function remember(flow, challenge, { to = null, again = null, until = null } = {}) {
  const resend = Date.now() + challenge.resend_after * 1000;
  sessionStorage.setItem(PENDING, JSON.stringify({ flow, challenge, to, again, until, resend }));
}

export function fill() {
  const { flow, challenge, to, until, resend, again } = pending();
  const { perhaps, hint, remember: offered, resend: path, title = "Enter the code", button = "Confirm" } = FLOWS[flow];
  element("code-title").textContent = title;
  element("code-confirm").textContent = button;
  element("code-text").textContent = perhaps ? "If all is well, a code is on its way to" : "A code is on its way to";
  element("code-to").textContent = to ?? challenge.hint ?? "your mailbox";
  element("code-until").textContent = until ?? hint ?? "";
  element("code-until").hidden = !(until ?? hint);
  element("code-remember").closest(".check").hidden = !offered;
  element("code-remember").checked = false;
  element("resend").hidden = !(path || again);
  stop();
  stop = countDown(element("resend"), resend);
}

/** Send the code; answer `{flow, data}` of what it opened, or null when it was refused. */
export async function verify(form) {
  const { flow, challenge } = pending();
  const typed = fields(form);
  const body = { challenge_id: challenge.id, code: typed.code.replace(/\s/g, "") };
  if (FLOWS[flow].remember && typed.remember) body.remember = true;
  const answer = await post(FLOWS[flow].verify, body);
  if (!answer.ok) return refuse(form, answer), null;
  form.reset();
  if (FLOWS[flow].then) opened = body;
  else forget();
  return { flow, data: answer.data, status: answer.status, ...FLOWS[flow] };
}

/** Send a password with the code that was checked, or with the step that asked for one; answer whether it was taken. */
export async function newPassword(form) {
  const { flow, challenge } = pending();
  const proof = flow === "newPassword" ? { challenge_id: challenge.id } : opened;
  const path = flow === "newPassword" ? "/sign-in/new-password" : "/password/reset/complete";
  const answer = await post(path, { ...proof, ...fields(form) });
  if (!answer.ok) {
    if (answer.data.error.code === "invalid_challenge") mark(form.elements.new_password, sentence(answer));
    else refuse(form, answer);
    return null;
  }
  form.reset();
  opened = null;
  forget();
  return answer;
}

/** Tell whether the form for a password has what it needs; a page that was loaded again asks the code again. */
export const opens = () => pending() !== null && (opened !== null || pending().flow === "newPassword");

export async function again() {
  const { flow, challenge, to, again: asked } = pending();
  const path = FLOWS[flow].resend;
  const answer = path ? await post(path, { challenge_id: challenge.id }) : await post(asked.path, asked.body);
  if (!answer.ok) return alertWith(sentence(answer));
  remember(flow, answer.data.challenge, { to, again: asked });
  fill();
  notify("Another code is on its way; the earlier one is void.");
}
