// The demo's mailbox: what the file beside the database holds, asked for every two seconds while the page is seen.

import { alertWith, element, send, sentence, when } from "./api.js";

const shown = new Set(); // the keys of the mails on the page
const recipients = new Set();

async function refresh() {
  if (document.hidden) return;
  const answer = await send("GET", "/mailbox/mails");
  alertWith(answer.ok ? "" : sentence(answer));
  if (!answer.ok) return;
  const arrived = answer.data.mails.filter((mail) => !shown.has(mail.key));
  for (const mail of arrived) shown.add(mail.key);
  element("mails").prepend(...arrived.map(mailItem));
  for (const mail of arrived) addRecipient(mail.to);
  element("empty").hidden = shown.size > 0;
  element("tools").hidden = recipients.size < 2;
  sift();
}

// --- one mail ---

function mailItem(mail) {
  const item = element("mail").content.firstElementChild.cloneNode(true);
  const isText = mail.channel === "sms";
  item.dataset.to = mail.to;
  item.querySelector("h2").textContent = isText ? "Text message" : mail.subject;
  item.querySelector(".hint").textContent = `to ${mail.to} · ${when(mail.at)}`;
  item.querySelector(".code-row").hidden = !mail.code;
  item.querySelector("output").textContent = mail.code ?? "";
  item.querySelector(".copy").addEventListener("click", (event) => copy(event.currentTarget, mail.code));
  if (isText) showText(item, mail);
  else showMail(item, mail);
  return item;
}

function showText(item, mail) {
  item.querySelector("p.text").textContent = mail.text;
  item.querySelector("p.text").hidden = false;
  item.querySelector("details").remove();
}

function showMail(item, mail) {
  const link = item.querySelector(".link-row a");
  // An address of any other kind would run when it is pressed.
  if (/^https?:\/\//.test(mail.url ?? "")) {
    link.href = mail.url;
    link.setAttribute("aria-label", `Open the link of ${mail.subject}`);
    item.querySelector(".link-row").hidden = false;
  }
  item.querySelector("pre").textContent = mail.text;
  const details = item.querySelector("details");
  details.addEventListener("toggle", () => details.open && frameOf(details, mail), { once: true });
  for (const button of details.querySelectorAll("button")) button.addEventListener("click", () => choose(button));
}

/** Show the designed mail in a frame without scripts, forms and the page's origin; its links open a tab of their own. */
function frameOf(details, mail) {
  const frame = document.createElement("iframe");
  frame.title = `The mail “${mail.subject}”`;
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
  frame.referrerPolicy = "no-referrer";
  frame.srcdoc = mail.html.replace(/<head[^>]*>/i, '$&<base target="_blank">');
  details.querySelector(".html").append(frame);
}

function choose(button) {
  const details = button.closest("details");
  for (const one of button.parentElement.children) one.setAttribute("aria-pressed", String(one === button));
  const { part, width } = button.dataset;
  if (width) details.querySelector(".html").classList.toggle("phone", width === "phone");
  if (!part) return;
  for (const one of details.querySelectorAll(".part")) one.hidden = !one.classList.contains(part);
  details.querySelector(".widths").hidden = part === "text";
}

async function copy(button, code) {
  const copied = await navigator.clipboard.writeText(code).then(() => true, () => false);
  button.textContent = copied ? "Copied" : "Select it by hand: the browser forbids copying";
}

// --- whose mails are seen ---

function addRecipient(to) {
  if (recipients.has(to)) return;
  recipients.add(to);
  element("recipient").append(new Option(to, to));
}

function sift() {
  const { value } = element("recipient");
  for (const item of element("mails").children) item.hidden = value !== "" && item.dataset.to !== value;
}

element("recipient").addEventListener("change", sift);
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);
refresh();
