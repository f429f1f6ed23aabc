// Forms: what stands in them, and what is wrong with it, told beside each field.

import { alertWith, sentence } from "./api.js";

/** Answer what was typed; a field that is empty and not required is left out. */
export function fields(form) {
  const typed = [...new FormData(form)].filter(([name, value]) => value || form.elements[name].required);
  return Object.fromEntries(typed);
}

/** Show an error beside each field that it names, and all else above or inside the form. */
export function refuse(form, answer) {
  const { code, details } = answer.data.error;
  const unplaced = [];
  for (const detail of details ?? []) {
    const input = form.elements[detail.field];
    if (input) mark(input, detail.message);
    else unplaced.push(detail.message);
  }
  if (code === "invalid_challenge" && form.elements.code) mark(form.elements.code, sentence(answer));
  else if (form.closest("dialog")) mark(form.querySelector("input:not(.unseen)"), sentence(answer));
  else if (!details) alertWith(sentence(answer));
  if (unplaced.length) alertWith(unplaced.join(" "));
  form.querySelector("[aria-invalid]")?.focus();
}

export function mark(input, message) {
  const error = document.createElement("p");
  error.className = "error";
  error.id = `${input.id}-error`;
  error.textContent = message;
  input.closest(".field").append(error);
  input.setAttribute("aria-invalid", "true");
  input.dataset.described = input.getAttribute("aria-describedby") ?? "";
  input.setAttribute("aria-describedby", `${error.id} ${input.dataset.described}`.trim());
}

export function unmark(form) {
  for (const error of form.querySelectorAll(".error")) error.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    if (input.dataset.described) input.setAttribute("aria-describedby", input.dataset.described);
    else input.removeAttribute("aria-describedby");
  }
}

/** Tell of empty required fields before anything is sent. */
export function complete(form) {
  const empty = [...form.querySelectorAll("[required]")].filter((input) => !input.value);
  for (const input of empty) mark(input, "This field is required.");
  empty[0]?.focus();
  return empty.length === 0;
}

export async function busy(button, work) {
  if (!button) return work();
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

/** Let a button that sends again count down, and answer how to stop it. */
export function countDown(button, until) {
  const tick = () => {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    button.disabled = seconds > 0;
    button.textContent = seconds > 0 ? `Send another code in ${seconds} s` : "Send another code";
    if (seconds <= 0) clearInterval(ticking);
  };
  const ticking = setInterval(tick, 1000);
  tick();
  return () => clearInterval(ticking);
}
