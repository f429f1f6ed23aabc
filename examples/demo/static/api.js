// How the pages speak to the API, and show what it answers.

export const element = (id) => document.getElementById(id);

/** Send JSON and answer `{ok, status, data, wait}`; the browser adds the session's cookie and `Origin` by itself. */
export async function send(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    return failed(0, "The server cannot be reached. Is it running?");
  }
  const data = await response.json().catch(() => null);
  if (data === null) return failed(response.status, `The server answered ${response.status} without JSON.`);
  return { ok: response.ok, status: response.status, data, wait: Number(response.headers.get("Retry-After")) };
}

function failed(status, message) {
  return { ok: false, status, data: { error: { code: "failed", message } } };
}

export const post = (path, body) => send("POST", `/auth${path}`, body);

/** Answer a failure as a sentence, and when to try again where the server says so. */
export function sentence(answer) {
  const { message } = answer.data.error;
  return answer.wait ? `${message} It goes on in ${span(answer.wait)}.` : message;
}

function span(seconds) {
  if (seconds < 90) return seconds === 1 ? "a second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`;
}

/** Show a sentence in the page's alert; nothing hides it. */
export function alertWith(message) {
  const box = element("alert");
  box.textContent = message ?? "";
  box.hidden = !message;
}

export function notify(message) {
  element("notice").textContent = message ?? "";
  element("notice").hidden = !message;
}

export function when(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
