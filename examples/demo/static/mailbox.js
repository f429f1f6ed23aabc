// The demo's mailbox: what the file beside the database holds, asked for every two seconds while the page is seen.

import { alertWith, element, send, when } from "./api.js";

const shown = new Set(); // the keys of the mails on the page

async function refresh() {
  if (document.hidden) return;
  const answer = await send("GET", "/mailbox/mails");
  alertWith(answer.ok ? "" : answer.data.error.message);
  if (!answer.ok) return;
  const arrived = answer.data.mails.filter((mail) => !shown.has(mail.key));
  for (const mail of arrived) shown.add(mail.key);
  element("mails").prepend(...arrived.map(mailItem));
  element("empty").hidden = shown.size > 0;
}

function mailItem(mail) {
  const item = element("mail").content.firstElementChild.cloneNode(true);
  item.querySelector("h2").textContent = mail.subject;
  item.querySelector(".hint").textContent = `to ${mail.to} · ${when(mail.at)}`;
  item.querySelector("pre").textContent = mail.text;
  item.querySelector(".code-row").hidden = !mail.code;
  item.querySelector("output").textContent = mail.code ?? "";
  item.querySelector("button").addEventListener("click", (event) => copy(event.currentTarget, mail.code));
  return item;
}

async function copy(button, code) {
  const copied = await navigator.clipboard.writeText(code).then(() => true, () => false);
  button.textContent = copied ? "Copied" : "Select it by hand: the browser forbids copying";
}

document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);
refresh();
