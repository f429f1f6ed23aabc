// How the pages speak to the API, and show what it answers.

export const element = (id) => document.getElementById(id);

/** Send JSON and answer `{ok, status, data}`; the browser adds the session's cookie and `Origin` by itself. */
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
  return { ok: response.ok, status: response.status, data };
}

function failed(status, message) {
  return { ok: false, status, data: { error: { code: "failed", message } } };
}

/** Show a sentence in the page's alert; nothing hides it. */
export function alertWith(message) {
  const box = element("alert");
  box.textContent = message ?? "";
  box.hidden = !message;
}

export function when(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
