// The whole demo page: which section is seen, what each form sends, and what an answer changes.

import { alertWith, element, send, when } from "./api.js";

const VIEWS = ["sign-in", "sign-up", "code", "home"];
const PENDING = "pending-sign-up";

let current = null; // {user, session} while somebody is signed in

// --- what is seen ---

function show(view) {
  for (const name of VIEWS) element(name).hidden = name !== view;
  element("guard").hidden = view === "code";
  element("hello").hidden = true;
  element("places").hidden = view !== "home";
  document.body.classList.toggle("wide-page", view === "home");
  alertWith("");
  element(`${view}-title`).focus({ preventScroll: true });
}

function notify(message) {
  element("notice").textContent = message ?? "";
  element("notice").hidden = !message;
}

async function route() {
  const answer = await send("GET", "/auth/session");
  if (!answer.ok) return alertWith(answer.data.error.message);
  current = answer.data.user ? answer.data : null;
  if (current) return showHome();
  if (location.hash === "#code" && pending()) return showCode();
  show(["#sign-in", "#home"].includes(location.hash) ? "sign-in" : "sign-up");
}

function go(view) {
  if (location.hash === `#${view}`) return route();
  location.hash = view; // "hashchange" calls route()
}

async function showHome() {
  element("user-email").textContent = current.user.email;
  element("user-name").textContent = current.user.display_name ?? "–";
  element("user-since").textContent = when(current.user.created_at);
  element("sessions").replaceChildren();
  element("end-others").hidden = true;
  show("home");
  await listSessions();
}

// --- the registration that waits for its code survives a visit to the mailbox ---

const pending = () => JSON.parse(sessionStorage.getItem(PENDING));
const remember = (challenge, email) => sessionStorage.setItem(PENDING, JSON.stringify({ challenge, email }));
const forget = () => sessionStorage.removeItem(PENDING);

function showCode() {
  element("code-to").textContent = pending().email;
  show("code");
  element("code-code").focus();
  waitToResend(pending().challenge.resend_after);
}

let ticking;
function waitToResend(seconds) {
  clearInterval(ticking);
  const button = element("resend");
  const tick = () => {
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? `Send another code in ${seconds} s` : "Send another code";
    if (seconds-- <= 0) clearInterval(ticking);
  };
  tick();
  ticking = setInterval(tick, 1000);
}

// --- forms ---

const forms = {
  async signUp(form) {
    const body = fields(form);
    if (!body.display_name) delete body.display_name;
    const answer = await send("POST", "/auth/sign-up", body);
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    remember(answer.data.challenge, body.email);
    go("code");
  },

  async verify(form) {
    const body = { challenge_id: pending().challenge.id, code: fields(form).code.replace(/\s/g, "") };
    const answer = await send("POST", "/auth/sign-up/verify", body);
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    forget();
    notify("Your address is confirmed: welcome.");
    go("home");
  },

  async signIn(form) {
    const answer = await send("POST", "/auth/sign-in", fields(form));
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    go("home");
  },

  async confirm(form) {
    const answer = await send("POST", "/auth/reauthenticate", { password: fields(form).password });
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    element("confirm").close("confirmed");
  },
};

const fields = (form) => Object.fromEntries(new FormData(form));

/** Show an error beside each field that it names, and all else above or inside the form. */
function refuse(form, answer) {
  const { code, message, details } = answer.data.error;
  const unplaced = [];
  for (const detail of details ?? []) {
    const input = form.elements[detail.field];
    if (input) mark(input, detail.message);
    else unplaced.push(detail.message);
  }
  if (code === "invalid_challenge") mark(form.elements.code, message);
  else if (form.closest("dialog")) mark(form.elements.password, message);
  else if (!details) alertWith(message);
  if (unplaced.length) alertWith(unplaced.join(" "));
  form.querySelector("[aria-invalid]")?.focus();
}

function mark(input, message) {
  const error = document.createElement("p");
  error.className = "error";
  error.id = `${input.id}-error`;
  error.textContent = message;
  input.closest(".field").append(error);
  input.setAttribute("aria-invalid", "true");
  input.dataset.described = input.getAttribute("aria-describedby") ?? "";
  input.setAttribute("aria-describedby", `${error.id} ${input.dataset.described}`.trim());
}

function unmark(form) {
  for (const error of form.querySelectorAll(".error")) error.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    if (input.dataset.described) input.setAttribute("aria-describedby", input.dataset.described);
    else input.removeAttribute("aria-describedby");
  }
}

/** Tell of empty required fields before anything is sent. */
function complete(form) {
  const empty = [...form.querySelectorAll("[required]")].filter((input) => !input.value);
  for (const input of empty) mark(input, "This field is required.");
  empty[0]?.focus();
  return empty.length === 0;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  unmark(form);
  alertWith("");
  notify("");
  if (!complete(form)) return;
  await busy(event.submitter, () => forms[form.dataset.form](form));
});

async function busy(button, work) {
  if (!button) return work();
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

// --- sessions ---

async function listSessions() {
  const answer = await send("GET", "/auth/sessions");
  if (answer.status === 401) return signedOut("The session has ended.");
  if (!answer.ok) return alertWith(answer.data.error.message);
  element("sessions").replaceChildren(...answer.data.sessions.map(sessionRow));
  element("end-others").hidden = answer.data.sessions.length < 2;
}

function sessionRow(session) {
  const row = element("session-row").content.firstElementChild.cloneNode(true);
  const agent = session.device_name ?? browserOf(session.user_agent);
  row.querySelector(".agent").textContent = agent;
  row.querySelector(".badge").hidden = !session.current;
  row.querySelector(".hint").textContent = `${session.ip ?? "address unknown"} · since ${when(session.created_at)}`;
  const button = row.querySelector("button");
  button.setAttribute("aria-label", `End the session of ${agent}${session.current ? ", this one" : ""}`);
  button.addEventListener("click", () => busy(button, () => end(`/${session.id}`, session.current)));
  return row;
}

const BROWSERS = { Edg: "Edge", OPR: "Opera", Firefox: "Firefox", Chrome: "Chrome", Safari: "Safari", curl: "curl" };

// Browsers name their ancestors too: the first that is found is the youngest.
function browserOf(agent) {
  const found = Object.keys(BROWSERS).find((name) => agent?.includes(`${name}/`));
  return found ? BROWSERS[found] : "Unknown client";
}

/** End sessions; a session that is no longer fresh asks for the password first. */
async function end(path, own, method = "DELETE") {
  let answer = await send(method, `/auth/sessions${path}`, method === "POST" ? {} : undefined);
  if (!answer.ok && answer.data.error.code === "reauthentication_required") {
    if (!(await confirmed())) return;
    answer = await send(method, `/auth/sessions${path}`, method === "POST" ? {} : undefined);
  }
  if (!answer.ok) return alertWith(answer.data.error.message);
  if (own) return signedOut("You are signed out.");
  notify(answer.data.ended === 1 ? "One session ended." : `${answer.data.ended} sessions ended.`);
  await listSessions();
}

/** Ask for the password; answer whether it was right before the dialog was closed. */
function confirmed() {
  const dialog = element("confirm");
  const form = dialog.querySelector("form");
  unmark(form);
  form.reset();
  form.elements.username.value = current.user.email;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "confirmed"), { once: true });
  });
}

function signedOut(message) {
  current = null;
  history.pushState(null, "", "#sign-in"); // without "hashchange": nothing needs to be asked
  show("sign-in");
  notify(message);
}

// --- buttons ---

function onClick(id, work) {
  element(id).addEventListener("click", (event) => busy(event.currentTarget, work));
}

onClick("sign-out", async () => {
  const answer = await send("POST", "/auth/sign-out", {});
  if (!answer.ok) return alertWith(answer.data.error.message);
  signedOut("You are signed out.");
});

onClick("say-hello", async () => {
  const answer = await send("GET", "/hello");
  alertWith(answer.status ? "" : answer.data.error.message);
  if (!answer.status) return;
  element("hello").textContent = `${answer.status} ${JSON.stringify(answer.data)}`;
  element("hello").hidden = false;
});

onClick("end-others", () => end("/revoke-others", false, "POST"));
onClick("end-all", () => end("", true));
onClick("confirm-cancel", () => element("confirm").close());

onClick("start-over", () => {
  forget();
  go("sign-up");
});

element("resend").addEventListener("click", async () => {
  const answer = await send("POST", "/auth/sign-up/resend", { challenge_id: pending().challenge.id });
  if (!answer.ok) return alertWith(answer.data.error.message);
  remember(answer.data.challenge, pending().email);
  waitToResend(answer.data.challenge.resend_after);
  notify("Another code is on its way; the earlier one is void.");
});

window.addEventListener("hashchange", () => {
  if (location.hash === "#sign-up" || location.hash === "#code") notify("");
  route();
});
route();
