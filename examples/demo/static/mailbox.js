// The demo's mailbox: what the file beside the database holds, asked for every two seconds while the page is seen.

import { alertWith, element, send, when } from "./api.js";

let shown = "";

async function refresh() {
  if (document.hidden) return;
  const answer = await send("GET", "/mailbox/mails");
  alertWith(answer.ok ? "" : answer.data.error.message);
  if (!answer.ok) return;
  const seen = JSON.stringify(answer.data.mails);
  if (seen === shown) return;
  shown = seen;
  element("empty").hidden = answer.data.mails.length > 0;
  element("mails").replaceChildren(...answer.data.mails.map(mailItem));
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
  await navigator.clipboard.writeText(code);
  button.textContent = "Copied";
}

document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);
refresh();
