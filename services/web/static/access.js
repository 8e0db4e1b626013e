// Access policies: of a space, or of one document. Nothing is lost before it is saved, or thrown away on purpose.

import { Trouble, json } from "/assets/api.js";
import { entryRow, isBackwards, policyOf, rowsOf } from "/assets/access_rows.js";
import { previewed } from "/assets/access_preview.js";
import { confirmed } from "/assets/dialog.js";
import { findsDocuments } from "/assets/document_finder.js";
import { byId, element, redraw } from "/assets/dom.js";
import { loadNames, offersNames } from "/assets/people_names.js";
import { words } from "/assets/words.js";

let isAdmin = false;
let spaces = [];
let subject = null;  // {space} or {document: {id, title, space}}
let draft = null;    // {mode, rows: {own, adds, same}, before}; the rows of “same” are null where they are not known
let asked = 0;

export function startAccess() {
  byId("access-space").addEventListener("change", () => turnTo({ space: byId("access-space").value }));
  findsDocuments(byId("access-document"), "access-documents", (id, document) => turnTo({ document: document ?? { id, title: id } }));
  for (const kind of ["group", "user"]) offersNames(byId(`entry-${kind}`), kind);
  byId("entry-kind").addEventListener("change", showKind);
  byId("access-mode").addEventListener("change", changeMode);
  byId("access-add").addEventListener("submit", addRow);
  byId("access-discard").addEventListener("click", () => show(draft.before.policy));
  byId("access-save").addEventListener("click", save);
  addEventListener("beforeunload", (event) => { if (isChanged()) event.preventDefault(); });
  showKind();
}

/** For somebody who manages these spaces. */
export function offerAccess(managed, admin) {
  isAdmin = admin;
  spaces = managed;
  subject = null;
  draft = null;
  asked += 1;
  for (const id of ["access-rows", "access-title", "access-documents"]) byId(id).replaceChildren();
  say("");
  complain("");
  drawSubject();
}

/** The section is opened: the last subject again, or the first space. */
export async function openAccess(document = null) {
  byId("access-space").replaceChildren(
    element("option", { value: "" }, words("access_no_space")),
    ...spaces.map((space) => element("option", { value: space.name }, space.title || space.name)),
  );
  loadNames("user").then(() => loadNames("group")).then(() => { if (draft) drawRows(); });
  if (document) await load({ document });
  else if (subject) await load(subject);
  else if (spaces.length) await load({ space: spaces[0].name });
  else drawSubject();
}

/** Draw it in the present language. */
export function refreshAccess() {
  drawSubject();
  if (draft) drawRows();
}

const isChanged = () => draft !== null && JSON.stringify(saidBy(draft)) !== draft.before.said;

/** True if nothing is unsaved, or the person throws it away. */
export async function mayLeaveAccess() {
  if (!isChanged()) return true;
  const send = () => show(draft.before.policy);
  return Boolean(await confirmed(words("discard"), words("discard_ask"), { submit: words("discard"), send, danger: true }));
}

async function turnTo(next) {
  if ((next.space || next.document) && (await mayLeaveAccess())) await load(next);
  else drawSubject();
}

const pathOf = ({ space, document }) => (document ? `/v1/documents/${encodeURIComponent(document.id)}/policy` : `/v1/spaces/${encodeURIComponent(space)}/policy`);

async function load(next) {
  const turn = ++asked;
  try {
    const policy = await json(pathOf(next));
    if (turn !== asked) return;
    subject = next;
    say("");
    show(policy);
    drawSubject();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (turn !== asked) return;
    complain(error.message);
    byId("access-space").value = subject?.space ?? "";  // what is shown below; a title or id stays, to be mended
  }
}

function show(policy) {
  const mode = !subject.document ? "own" : policy.inherited ? "same" : policy.extends_space ? "adds" : "own";
  // An own policy begins as a copy of what is in force; one that adds to the space's begins empty.
  const rows = { own: rowsOf(policy), adds: policy.inherited ? [] : rowsOf(policy), same: policy.inherited ? rowsOf(policy) : null };
  draft = { mode, rows, before: { policy } };
  draft.before.said = JSON.stringify(saidBy(draft));
  complain("");
  drawRows();
}

/** What would be saved: a policy, or null for “the same as the space's”. */
const saidBy = ({ mode, rows }) => (mode === "same" ? null : policyOf(rows[mode], mode === "adds"));

function drawSubject() {
  byId("access-space").value = subject?.space ?? "";
  byId("access-document").value = subject?.document?.title ?? "";
  byId("access-editor").hidden = draft === null;
  byId("access-mode-frame").hidden = !subject?.document;
  if (!subject) return;
  const space = spaces.find((one) => one.name === subject.space);
  const title = subject.document?.title ?? (space?.title || subject.space);
  byId("access-title").textContent = words(subject.document ? "access_of_document" : "access_of_space", { title });
}

function drawRows() {
  const fixed = draft.mode === "same";
  byId("access-mode").value = draft.mode;
  byId("access-add").hidden = fixed;
  byId("access-hint").textContent = words(subject.document ? `access_hint_${draft.mode}` : "access_hint_space");
  const remove = (row) => () => {
    draft.rows[draft.mode] = draft.rows[draft.mode].filter((one) => one !== row);
    drawRows();
  };
  const rows = draft.rows[draft.mode];
  byId("access-table").hidden = rows === null;
  const lines = (rows ?? []).map((row) => entryRow(row, { changed: drawState, remove: fixed ? null : remove(row) }));
  redraw(byId("access-rows"), ...(lines.length ? lines : [element("tr", {}, element("td", { colSpan: 5, class: "hint" }, words("access_nobody")))]));
  drawState();
}

function drawState() {
  const changed = isChanged();
  byId("access-save").textContent = words(isAdmin ? "access_preview" : "save");
  byId("access-save").disabled = !changed;
  byId("access-discard").hidden = !changed;
  if (changed) say(words("access_unsaved"));
  else if (byId("access-message").textContent === words("access_unsaved")) say("");
}

function changeMode() {
  draft.mode = byId("access-mode").value;
  drawRows();
}

function showKind() {
  const kind = byId("entry-kind").value;
  for (const one of ["group", "user"]) byId(`entry-${one}`).hidden = one !== kind;
}

function addRow(event) {
  event.preventDefault();
  const kind = byId("entry-kind").value;
  const field = kind === "everyone" ? null : byId(`entry-${kind}`);
  const name = field?.value.trim();
  if (field && !name) return field.focus();
  const principal = field ? `${kind}:${name}` : "everyone";
  const rows = draft.rows[draft.mode];
  if (rows.some((row) => row.principal === principal)) return complain(words("access_twice", { name: name ?? words("principal_everyone") }));
  complain("");
  rows.push({ principal, role: byId("entry-role").value, from: null, to: null });
  if (field) field.value = "";
  drawRows();
  (field ?? byId("entry-kind")).focus();
}

async function save() {
  if (draft.mode !== "same" && draft.rows[draft.mode].some(isBackwards)) return complain(words("access_backwards"));
  const policy = saidBy(draft);
  const target = subject;
  const path = pathOf(target);
  const send = () => (policy === null ? json(path, { method: "DELETE" }) : json(path, { method: "PUT", body: policy }));
  complain("");
  byId("access-save").disabled = true;
  try {
    const saved = isAdmin ? await previewed(target, policy, send) : await send();
    if (!saved || subject !== target) return;  // saved, but something else is on the page by now
    show(saved);
    say(words("access_saved"));
    byId("access-title").focus();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    complain(error.message);
  } finally {
    byId("access-save").disabled = !isChanged();
  }
}

function complain(text) { byId("access-error").textContent = text; }
function say(text) { byId("access-message").textContent = text; }
