// The documents that this person may read; for those who may upload, a place to drop files.

import { Trouble, json } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { uploadAll } from "/assets/uploads.js";
import { reasonOf, words } from "/assets/words.js";

let spaces = [];
let mayUpload = new Set();
let cursor = null;
let asked = 0;
let openDocument = null;
let timer;

/** `open(id)` shows a document's history. */
export function startDocuments(open) {
  openDocument = (id) => {
    clearTimeout(timer);  // what was typed last would draw the list anew under somebody who comes back to it
    open(id);
  };
  byId("documents-space").addEventListener("change", reload);
  byId("find").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(reload, 250);
  });
  byId("more").addEventListener("click", () => load(cursor));
  byId("files").addEventListener("change", (event) => {
    upload([...event.target.files]);
    event.target.value = "";
  });
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); upload([...event.dataTransfer.files]); });
}

export function offerDocumentSpaces(found, isAdmin) {
  spaces = found;
  mayUpload = new Set(found.filter((s) => isAdmin || s.role === "editor" || s.role === "manager").map((s) => s.name));
  const select = byId("documents-space");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "" }, words("all_spaces")),
    ...found.map((space) => element("option", { value: space.name }, space.title || space.name)),
  );
  select.value = found.some((space) => space.name === chosen) ? chosen : "";
}

export function refreshDocumentWords(isAdmin) {
  offerDocumentSpaces(spaces, isAdmin);
}

/** False if this person surely may not set the document's policy; its own policy may name anybody. */
export const mayManage = (document, { is_admin: isAdmin }) =>
  isAdmin || document.own_policy || spaces.some((space) => space.name === document.space && space.role === "manager");

/** What people call a space. */
export const spaceTitle = (name) => spaces.find((one) => one.name === name)?.title || name;

/** Give the focus to a document's title in the list. */
export const focusDocument = (id) => byId("documents-rows").querySelector(`[data-document="${CSS.escape(id)}"]`)?.focus();

/** Load the list from its beginning. */
export async function reload() {
  const space = byId("documents-space").value;
  byId("drop").hidden = !mayUpload.has(space);
  byId("drop-space").textContent = words("drop_space", { space: spaceTitle(space) });
  await load(null);
}

async function load(after) {
  const turn = ++asked;
  const query = new URLSearchParams({ limit: "50" });
  if (byId("documents-space").value) query.set("space", byId("documents-space").value);
  if (byId("find").value.trim()) query.set("q", byId("find").value.trim());
  if (after) query.set("cursor", after);
  const rows = byId("documents-rows");
  try {
    const page = await json(`/v1/documents?${query}`);
    if (turn !== asked) return; // a later question has been asked meanwhile
    byId("documents-error").textContent = "";
    if (!after) rows.replaceChildren();
    rows.append(...page.items.map(row));
    if (!rows.children.length) rows.append(element("tr", {}, element("td", { colSpan: 6, class: "hint" }, words("no_documents"))));
    cursor = page.next_cursor;
    byId("more").hidden = !cursor;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("documents-error").textContent = error.message;
  }
}

function row(item) {
  const { reason, status: state } = item;
  return element(
    "tr", {},
    element("th", { scope: "row" }, element("button", { type: "button", class: "title", "data-document": item.id, onclick: () => openDocument(item.id) }, item.title)),
    element("td", {}, spaceTitle(item.space)),
    element("td", {}, item.version ? String(item.version) : "–"),
    element("td", {}, element("span", { class: `level ${item.classification}` }, words(`level_${item.classification}`))),
    element("td", { class: "state" }, words(`state_${state}`), reason ? element("small", { title: reason.detail }, reasonOf(reason)) : null),
    element("td", {}, moment(item.updated_at)),
  );
}

async function upload(files) {
  const space = byId("documents-space").value;
  if (!mayUpload.has(space)) return;
  await uploadAll(files, space);
  await reload();
}
