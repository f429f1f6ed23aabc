// The whole demo page: which section is seen, what each form sends, and what an answer changes.

import * as account from "./account.js";
import { alertWith, element, notify, post, send, sentence, when } from "./api.js";
import * as challenge from "./challenge.js";
import { busy, complete, fields, refuse, unmark } from "./forms.js";
import * as reauthenticate from "./reauthenticate.js";

const OUTSIDE = ["sign-in", "sign-up", "link", "mail-code", "sms", "forgot"]; // for whoever is signed out, or a guest
const VIEWS = [...OUTSIDE, "code", "new-password", "home"];

let current = null; // {user, session} while somebody is signed in

// --- what is seen ---

function show(view) {
  for (const name of VIEWS) element(name).hidden = name !== view;
  for (const card of document.querySelectorAll(".inside")) card.hidden = view !== "home" || !mine(card);
  element("guard").hidden = view === "code" || view === "new-password";
  element("hello").hidden = true;
  document.body.classList.toggle("wide-page", view === "home");
  alertWith("");
  element(`${view}-title`).focus({ preventScroll: true });
  scrollTo(0, 0);
}

// Some cards are for guests alone, and some for members alone.
function mine(card) {
  const guest = current.user.anonymous;
  return !(card.classList.contains("guests") && !guest) && !(card.classList.contains("members") && guest);
}

async function route() {
  const answer = await send("GET", "/auth/session");
  if (!answer.ok) return alertWith(sentence(answer));
  current = answer.data.user ? answer.data : null;
  const asked = location.hash.slice(1);
  if (asked === "new-password" && challenge.opens()) return show("new-password");
  if ((asked === "code" || asked === "new-password") && challenge.pending()) return showCode();
  if (open(asked)) return show(asked);
  if (current) return showHome();
  show(asked === "home" ? "sign-in" : "sign-up");
}

/** Tell whether a view is for who is here, as far as is known. */
const open = (view) => (!current || current.user.anonymous) && OUTSIDE.includes(view);

function go(view) {
  if (location.hash === `#${view}`) return route();
  location.hash = view; // "hashchange" calls route()
}

function showCode() {
  challenge.fill();
  show("code");
  element("code-code").focus({ preventScroll: true });
}

async function showHome() {
  account.fill(current);
  element("sessions").replaceChildren();
  element("end-others").hidden = true;
  show("home");
  await signedIn.listSessions();
}

// --- what the actions of a signed-in person do to the page ---

const signedIn = account.actions({
  current: () => current,
  signedOut,
  left,
  challenge(flow, answer, more) {
    challenge.remember(flow, answer.data.challenge, more);
    go("code");
  },
  async reload(message) {
    await route();
    notify(message);
  },
});

function signedOut(message) {
  current = null;
  history.pushState(null, "", "#sign-in"); // without "hashchange": nothing needs to be asked
  show("sign-in");
  notify(message);
}

function left({ delete_at: at, challenge: way }) {
  if (!way) return signedOut("Your account is deleted.");
  const until = `Your account is deleted on ${when(at)}. Until then the code of the mail, or its link, keeps it.`;
  challenge.remember("keep", way, { to: current?.user.email, until });
  go("code");
}

// --- forms ---

/** Go on with what a sign-in answered: a session, or a step that is asked. */
function entered(answer, message) {
  if (answer.data.status !== "challenge_required") {
    notify(message);
    return go("home");
  }
  const step = challenge.stepOf(answer.data.challenge);
  if (!step) return alertWith(`This page has no form for the step “${answer.data.challenge.kind}”.`);
  challenge.remember(step, answer.data.challenge);
  go(step === "newPassword" ? "new-password" : "code");
}

/** Ask for a code, or a link, to what was typed; the answer is the same whether there is an account. */
const asks = (flow, path) => async (form) => {
  const body = fields(form);
  const answer = await post(path, body);
  if (!answer.ok) return refuse(form, answer);
  form.reset();
  challenge.remember(flow, answer.data.challenge, { to: body.email ?? body.phone, again: { path, body } });
  go("code");
};

const forms = {
  async signUp(form) {
    const body = fields(form);
    const answer = await post("/sign-up", body);
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    challenge.remember("signUp", answer.data.challenge, { to: body.email });
    go("code");
  },

  async signIn(form) {
    const { email: name, ...rest } = fields(form);
    const answer = await post("/sign-in", name.includes("@") ? { email: name, ...rest } : { username: name, ...rest });
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    entered(answer);
  },

  link: asks("link", "/magic-link"),
  mailCode: asks("mailCode", "/code"),
  sms: asks("sms", "/code"),
  forgot: asks("reset", "/password/reset"),

  async verify(form) {
    const opened = await challenge.verify(form);
    if (!opened) return;
    if (opened.then) return go(opened.then);
    if (opened.flow === "deletion") return left(opened.data);
    if (opened.flow === "keep") return signedOut(opened.done);
    entered(opened, opened.done);
  },

  async newPassword(form) {
    const answer = await challenge.newPassword(form);
    if (answer) entered(answer, "Your password is replaced. Every earlier session has ended.");
  },

  confirm: reauthenticate.confirm,
  ...signedIn.forms,
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  unmark(form);
  alertWith("");
  notify("");
  if (!complete(form)) return;
  await busy(event.submitter, () => forms[form.dataset.form](form));
});

// --- buttons ---

const presses = {
  async signOut() {
    const answer = await post("/sign-out", {});
    if (!answer.ok) return alertWith(sentence(answer));
    signedOut("You are signed out.");
  },

  async guest() {
    const answer = await post("/anonymous", {});
    if (!answer.ok) return alertWith(sentence(answer));
    entered(answer, "You are a guest: sign up whenever you want to keep this account.");
  },

  async sayHello() {
    const answer = await send("GET", "/hello");
    alertWith(answer.status ? "" : sentence(answer));
    if (!answer.status) return;
    element("hello").textContent = `${answer.status} ${JSON.stringify(answer.data)}`;
    element("hello").hidden = false;
  },

  startOver() {
    const view = challenge.back();
    challenge.forget();
    go(view);
  },

  resend: challenge.again,
  mailConfirmation: reauthenticate.mailCode,
  cancelConfirmation: () => element("confirm").close(),
  ...signedIn.presses,
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-press]");
  if (!button) return;
  alertWith("");
  const counting = button.dataset.press === "resend"; // it enables itself, once it has counted down
  if (counting || button.dataset.press === "mailConfirmation") return presses[button.dataset.press]();
  return busy(button, presses[button.dataset.press]);
});

// --- what the server has ---

/** Hide what belongs to a room that this server does not have, as its own document tells. */
async function fit() {
  const { data } = await send("GET", "/auth/openapi.json");
  for (const part of document.querySelectorAll("[data-offer]")) {
    const [method, path, field] = part.dataset.offer.split(" ");
    const route = data.paths?.[`/auth${path}`]?.[method];
    part.classList.toggle("absent", !route || (field !== undefined && !takes(data, route, field)));
  }
}

function takes(document_, route, field) {
  const name = route.requestBody?.content["application/json"].schema.$ref?.split("/").at(-1);
  return field in (document_.components.schemas[name]?.properties ?? {});
}

// Whoever opened the mail's link in another tab is signed in when they come back to this one.
document.addEventListener("visibilitychange", async () => {
  if (document.hidden || current || element("code").hidden) return;
  const answer = await send("GET", "/auth/session");
  if (!answer.data.user) return;
  challenge.forget();
  go("home");
});

window.addEventListener("hashchange", () => {
  const asked = location.hash.slice(1);
  if (asked !== "home" && asked !== "sign-in") notify("");
  if (open(asked)) return show(asked);
  route();
});

await fit();
route();
