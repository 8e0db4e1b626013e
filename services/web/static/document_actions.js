// What may be done with a document and its versions. Who may not is told so by the server.

import { Trouble, json } from "/assets/api.js";
import { askFor, field } from "/assets/dialog.js";
import { openDiff } from "/assets/diff.js";
import { button, byId, element } from "/assets/dom.js";
import { download } from "/assets/download.js";
import { followed } from "/assets/uploads.js";
import { editText, viewText } from "/assets/version_text.js";
import { words } from "/assets/words.js";

/** Buttons of the whole document; `again` reads and draws it once more, `access` (if given) shows who may do what with it. */
export function documentActions(document, versions, { again, access }) {
  const newest = versions.find((version) => version.state === "indexed" && !version.purged_at);
  const file = element("input", { type: "file", class: "visually-hidden" });
  file.addEventListener("change", () => {
    if (file.files.length) newVersion(document, file.files[0], again);
  });
  return [
    element("label", { class: "quiet file" }, file, words("new_version")),
    newest ? button(words("edit_text"), () => editText(document, newest, (send) => done("edit_text", send, again)), { "data-focus": "edit" }) : null,
    newest ? button(words("read_again"), () => readAgain(document, again), { "data-focus": "reparse" }) : null,
    access ? button(words("access"), access, { "data-focus": "access" }) : null,
  ].filter(Boolean);
}

/** Buttons of one version. */
export function actionsOf(document, version, versions, again) {
  if (version.purged_at) return [];
  const { number } = version;
  const of = (name) => ({ "data-focus": `${name}-${number}` });
  const readable = version.state === "indexed";
  const others = versions.filter((one) => one.state === "indexed" && !one.purged_at && one.number !== number);
  return [
    readable ? button(words("view_text"), () => viewText(document, version), of("text")) : null,
    button(words("original"), () => save(document, version), of("original")),
    readable && others.length ? button(words("compare"), () => openDiff(document, version, [version, ...others]), of("compare")) : null,
    readable && !version.current ? button(words("roll_back"), () => rollBack(document, number, again), of("rollback")) : null,
  ].filter(Boolean);
}

async function save(document, version) {
  try {
    await download(document.id, version.number, version.file_name);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("document-error").textContent = error.message;
  }
}

/** Follow what `send` began in a line above the versions, then draw them anew. */
async function done(name, send, again) {
  await followed(words(name), byId("document-work"), send);
  await again();
}

const path = (document, rest) => `/v1/documents/${encodeURIComponent(document.id)}/${rest}`;

function rollBack(document, number, again) {
  const comment = element("input", { type: "text", maxLength: 1000, required: true, autocomplete: "off" });
  return askFor(
    words("roll_back_to", { n: number }),
    [element("p", {}, words("roll_back_ask", { n: number })), field(words("reason"), comment)],
    {
      submit: words("roll_back"),
      send: async () => {
        const body = { to: number, comment: comment.value.trim() };
        const accepted = await json(path(document, "rollback"), { method: "POST", body, ifMatch: document.latest_version });
        done("roll_back", () => accepted, again);
      },
    },
  );
}

function readAgain(document, again) {
  return askFor(words("read_again"), [element("p", {}, words("read_again_ask"))], {
    submit: words("read_again"),
    send: async () => {
      const accepted = await json(path(document, "reparse"), { method: "POST", ifMatch: document.latest_version });
      done("read_again", () => accepted, again);
    },
  });
}

function newVersion(document, file, again) {
  const comment = element("input", { type: "text", maxLength: 1000, autocomplete: "off" });
  return askFor(words("new_version"), [element("p", {}, words("new_version_ask", { file: file.name })), field(words("comment"), comment)], {
    submit: words("upload"),
    send: async () => {
      const form = new FormData();
      if (comment.value.trim()) form.append("comment", comment.value.trim());
      form.append("file", file);
      const accepted = await json(path(document, "content"), { method: "PUT", body: form, ifMatch: document.latest_version });
      done("new_version", () => accepted, again);
    },
  });
}
