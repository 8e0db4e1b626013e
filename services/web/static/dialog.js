// Dialogs: modal, closed by Escape, with the focus given back to where it was.

import { Trouble } from "/assets/api.js";
import { element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const FIRST = ".dialog-form :is(input, select, textarea):enabled, .stored-text, .diff-choice select, .dialog-foot button";

let number = 0;

/** Open a dialog with these nodes under its title; `close` is called with no arguments. */
export function openDialog(title, nodes, { wide = false, mayClose = async () => true } = {}) {
  const heading = `dialog-${++number}`;
  const from = document.activeElement;
  const close = () => dialog.close();
  const leave = async () => { if (await mayClose()) close(); };
  const dialog = element(
    "dialog", { class: wide ? "dialog wide" : "dialog", "aria-labelledby": heading },
    element(
      "div", { class: "dialog-head" },
      element("h2", { id: heading }, title),
      element("button", { type: "button", class: "quiet", "aria-label": words("close"), onclick: leave }, "✕"),
    ),
    ...nodes,
  );
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); leave(); });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (from?.isConnected) from.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector(FIRST)?.focus();
  return { dialog, close, leave };
}

/**
 * A form in a dialog. `send` is called when it is submitted; trouble is said in the dialog, which then stays open.
 * Resolves to what `send` gave, or to null if the person thought better of it.
 */
export function askFor(title, nodes, { submit, send, danger = false, wide = false, mayClose }) {
  return new Promise((resolve) => {
    let result = null;
    const error = element("p", { class: "error", role: "alert" });
    const button = element("button", { type: "submit", class: danger ? "primary danger" : "primary" }, submit);
    const cancel = element("button", { type: "button", class: "quiet", onclick: () => opened.leave() }, words("cancel"));
    const form = element("form", { class: "dialog-form" }, ...nodes, error, element("div", { class: "dialog-foot" }, cancel, button));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      error.textContent = "";
      button.disabled = true;
      try {
        result = (await send()) ?? true;
        opened.close();
      } catch (trouble) {
        if (!(trouble instanceof Trouble)) throw trouble;
        error.textContent = trouble.message;
      } finally {
        button.disabled = false;
      }
    });
    const opened = openDialog(title, [form], { wide, mayClose });
    opened.dialog.addEventListener("close", () => resolve(result));
  });
}

/** Ask before something is done; `send` does it. */
export const confirmed = (title, text, { submit, send, danger = false }) =>
  askFor(title, [element("p", {}, text)], { submit, send, danger });

/** A labelled field; `hint` explains it below. */
export function field(label, control, hint = null) {
  return element("label", { class: "field" }, element("span", {}, label), control, hint ? element("small", { class: "hint" }, hint) : null);
}
