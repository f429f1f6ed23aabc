// What is seen while somebody is signed in: who it is, where, and all that can be changed.

import { alertWith, element, notify, post, send, sentence, when } from "./api.js";
import { busy, fields, mark, refuse } from "./forms.js";
import { fresh } from "./reauthenticate.js";

/** Show who is signed in; every value is text. */
export function fill({ user, session }) {
  const words = {
    "user-email": user.email,
    "user-name": user.display_name,
    "user-username": user.username,
    "user-phone": user.phone,
    "user-since": when(user.created_at),
    "session-how": `${session.amr.join(" + ") || "nothing"}, level ${session.aal}`,
    "session-since": when(session.auth_time),
    "session-id": session.id,
  };
  for (const [id, text] of Object.entries(words)) {
    const value = element(id).closest("dd");
    element(id).textContent = text ?? "";
    value.hidden = value.previousElementSibling.hidden = !text;
  }
  element("home-title").textContent = user.anonymous ? "You are a guest" : "You are signed in";
  element("user-verified").textContent = user.email_verified ? "verified" : "not verified";
  element("user-verified").hidden = !user.email;
  element("verify-email").hidden = !user.email || user.email_verified;
  element("profile-name").value = user.display_name ?? "";
  element("profile-username").value = user.username ?? "";
  element("password-username").value = user.email ?? "";
}

/** Answer the page's actions; `page` tells who is signed in and changes what is seen. */
export function actions(page) {
  const asked = (act) => fresh(page.current().user, act);

  async function profile(form) {
    const { user } = page.current();
    const body = {};
    for (const name of ["display_name", "username"]) {
      const input = form.elements[name];
      const value = input.value.trim() || null;
      if (!input.closest(".absent") && value !== (user[name] ?? null)) body[name] = value;
    }
    if (!Object.keys(body).length) return notify("Nothing was changed.");
    const answer = await asked(() => send("PATCH", "/auth/me", body));
    if (!answer?.ok) return answer && refuse(form, answer);
    await page.reload("Your profile is saved.");
  }

  async function changeEmail(form) {
    const body = fields(form);
    const answer = await asked(() => post("/email/change", body));
    if (!answer?.ok) return answer && refuse(form, answer);
    form.reset();
    page.challenge("emailChange", answer, { to: body.new_email, again: { path: "/email/change", body } });
  }

  async function setPhone(form) {
    const body = fields(form);
    const answer = await asked(() => post("/me/phone", body));
    if (!answer?.ok) return answer && refuse(form, answer);
    form.reset();
    page.challenge("phone", answer, { to: body.phone, again: { path: "/me/phone", body } });
  }

  async function changePassword(form) {
    const body = fields(form);
    const path = body.current_password ? "/password/change" : "/password/set";
    const answer = await asked(() => post(path, body));
    if (!answer) return;
    const code = answer.ok ? null : answer.data.error.code;
    if (code === "password_exists") return mark(form.elements.current_password, "Enter your current password.");
    if (code === "invalid_credentials") return mark(form.elements.current_password, "This is not your password.");
    if (!answer.ok) return refuse(form, answer);
    form.reset();
    if (answer.status === 202) return page.challenge("passwordChange", answer);
    await page.reload("Your password is set. Every other session has ended.");
  }

  async function verifyEmail() {
    const answer = await post("/email/verify/send", {});
    if (!answer.ok) return alertWith(sentence(answer));
    const again = { path: "/email/verify/resend", body: {} };
    page.challenge("emailVerify", answer, { to: page.current().user.email, again });
  }

  async function download() {
    const answer = await asked(() => send("GET", "/auth/me/export"));
    if (!answer?.ok) return answer && alertWith(sentence(answer));
    const link = document.createElement("a");
    const file = new Blob([JSON.stringify(answer.data, null, 2)], { type: "application/json" });
    link.href = URL.createObjectURL(file);
    link.download = "my-data.json";
    link.click();
    URL.revokeObjectURL(link.href);
    notify("Your data is in the file my-data.json.");
  }

  async function leave() {
    const answer = await asked(() => send("DELETE", "/auth/me"));
    if (!answer?.ok) return answer && alertWith(sentence(answer));
    if (answer.data.status === "challenge_required") return page.challenge("deletion", answer);
    page.left(answer.data);
  }

  async function endSessions(path, own, method = "DELETE") {
    const answer = await asked(() => send(method, `/auth/sessions${path}`, method === "POST" ? {} : undefined));
    if (!answer?.ok) return answer && alertWith(sentence(answer));
    if (own) return page.signedOut("You are signed out.");
    notify(answer.data.ended === 1 ? "One session ended." : `${answer.data.ended} sessions ended.`);
    await listSessions();
  }

  async function listSessions() {
    const answer = await send("GET", "/auth/sessions");
    if (answer.status === 401) return page.signedOut("The session has ended.");
    if (!answer.ok) return alertWith(sentence(answer));
    const end = (session) => endSessions(`/${session.id}`, session.current);
    element("sessions").replaceChildren(...answer.data.sessions.map((session) => sessionRow(session, end)));
    element("end-others").hidden = answer.data.sessions.length < 2;
  }

  return {
    forms: { profile, changeEmail, setPhone, changePassword },
    presses: {
      verifyEmail,
      download,
      leave,
      endOthers: () => endSessions("/revoke-others", false, "POST"),
      endAll: () => endSessions("", true),
    },
    listSessions,
  };
}

function sessionRow(session, end) {
  const row = element("session-row").content.firstElementChild.cloneNode(true);
  const agent = session.device_name ?? browserOf(session.user_agent);
  row.querySelector(".agent").textContent = agent;
  row.querySelector(".badge").hidden = !session.current;
  row.querySelector(".hint").textContent = `${session.ip ?? "address unknown"} · since ${when(session.created_at)}`;
  const button = row.querySelector("button");
  button.setAttribute("aria-label", `End the session of ${agent}${session.current ? ", this one" : ""}`);
  button.addEventListener("click", () => busy(button, () => end(session)));
  return row;
}

const BROWSERS = { Edg: "Edge", OPR: "Opera", Firefox: "Firefox", Chrome: "Chrome", Safari: "Safari", curl: "curl" };

// Browsers name their ancestors too: the first that is found is the youngest.
function browserOf(agent) {
  const found = Object.keys(BROWSERS).find((name) => agent?.includes(`${name}/`));
  return found ? BROWSERS[found] : "Unknown client";
}
