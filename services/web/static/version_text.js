// The stored text of a version: to read, and to correct.

import { Trouble, json } from "/assets/api.js";
import { askFor, confirmed, field, openDialog } from "/assets/dialog.js";
import { element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const readText = async (document, number) =>
  (await json(`/v1/documents/${encodeURIComponent(document.id)}/versions/${number}`)).text ?? "";

/** Show the text that was indexed. */
export async function viewText(document, version) {
  const text = element("pre", { class: "stored-text", tabIndex: 0, "aria-label": words("stored_text") }, words("loading"));
  openDialog(`${document.title} · ${words("version_n", { n: version.number })}`, [text], { wide: true });
  try {
    text.textContent = await readText(document, version.number);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    text.replaceWith(element("p", { class: "error", role: "alert" }, error.message));
  }
}

/** Correct the text of the newest version; `follow` gets what sends it. */
export async function editText(document, version, follow) {
  const area = element("textarea", { class: "text-area", rows: 18, spellcheck: false, required: true, disabled: true, value: words("loading") });
  const comment = element("input", { type: "text", maxLength: 1000, autocomplete: "off" });
  let before = null;
  const closed = askFor(
    words("edit_text_of", { n: version.number }),
    [field(words("stored_text"), area, words("edit_text_hint")), field(words("comment"), comment)],
    {
      wide: true,
      submit: words("save"),
      mayClose: async () => before === null || area.value === before || Boolean(await confirmed(words("discard"), words("discard_ask"), { submit: words("discard"), send: () => {}, danger: true })),
      send: async () => {
        const body = { text: area.value };
        if (comment.value.trim()) body.comment = comment.value.trim();
        const path = `/v1/documents/${encodeURIComponent(document.id)}/text`;
        const accepted = await json(path, { method: "PUT", body, ifMatch: document.latest_version });
        follow(() => accepted);
      },
    },
  );
  try {
    area.value = await readText(document, version.number);
    before = area.value;
    area.disabled = false;
    area.focus();
    area.setSelectionRange(0, 0);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    area.value = error.message;
  }
  return closed;
}
