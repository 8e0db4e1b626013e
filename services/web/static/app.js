// Signing in and out, the tabs, the language.

import { Trouble, forgetKey, json, keepKey, key } from "/assets/api.js";
import { askAgain, newConversation, offerSpaces, refreshWords, startAsk } from "/assets/ask.js";
import { openDocument, refreshDocument, startDocument } from "/assets/document.js";
import { focusDocument, offerDocumentSpaces, refreshDocumentWords, reload, startDocuments } from "/assets/documents.js";
import { byId } from "/assets/dom.js";
import { reloadHistory, startHistory } from "/assets/history.js";
import { openKeys } from "/assets/keys.js";
import { logIn, logOut } from "/assets/login.js";
import { leaveIndexes, openIndexes, refreshIndexes, startIndexes } from "/assets/indexes.js";
import { mayLeaveManage, offerManage, openDocumentAccess, openManage, refreshManage, startManage } from "/assets/manage.js";
import { closeSource, startSource } from "/assets/source.js";
import { applyWords, switchLanguage } from "/assets/words.js";

const TAB_OF = { ask: "ask", history: "history", documents: "documents", document: "documents", indexes: "indexes", manage: "manage" };
const OPENED = { ask: () => {}, history: reloadHistory, documents: reload, indexes: openIndexes, manage: openManage };
const EMPTIED = ["turns", "conversations", "uploads", "documents-rows", "document-work", "versions", "indexes", "snapshots"];

let me = null;
let shown = null;

function show(view) {
  shown = view;
  for (const name of ["sign-in", ...Object.keys(TAB_OF)]) byId(`view-${name}`).hidden = name !== view;
  for (const name of Object.keys(OPENED)) {
    if (name === TAB_OF[view]) byId(`tab-${name}`).setAttribute("aria-current", "page");
    else byId(`tab-${name}`).removeAttribute("aria-current");
  }
  for (const id of ["tabs", "me", "my-keys", "sign-out"]) byId(id).hidden = view === "sign-in";
  leaveIndexes();
  closeSource();
}

async function enter() {
  me = await json("/v1/users/me");
  const spaces = (await json("/v1/spaces?limit=100")).items;
  byId("me").textContent = me.display_name || me.name;
  byId("tab-indexes").hidden = !me.is_admin;
  byId("tab-manage").hidden = !offerManage(me, spaces);
  offerSpaces(spaces);
  offerDocumentSpaces(spaces, me.is_admin);
  show("ask");
  newConversation();
}

async function signIn(event) {
  event.preventDefault();
  const field = byId("key");
  if (!field.value.trim()) return field.focus();
  await enterWith(async () => field.value.trim(), field);
}

async function signInByPassword(event) {
  event.preventDefault();
  const [name, password] = [byId("login-name"), byId("login-password")];
  const empty = [name, password].find((field) => !field.value);
  if (empty) return empty.focus();
  byId("log-in-send").disabled = true;
  await enterWith(() => logIn(name.value.trim(), password.value), password);
  byId("log-in-send").disabled = false;
}

/** Enter with what `token` gives; trouble is said, and `field` is where one tries again. */
async function enterWith(token, field) {
  byId("sign-in-error").textContent = "";
  try {
    keepKey(await token());
    await enter();
    field.value = "";
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    forgetKey();
    byId("sign-in-error").textContent = error.message;
    field.focus();
  }
}

function signOut(message = "") {
  forgetKey();
  me = null;
  for (const id of EMPTIED) byId(id).replaceChildren();
  offerManage(null, []);
  show("sign-in");
  byId("sign-in-error").textContent = message;
  byId("login-name").focus();
}

async function begin() {
  applyWords();
  startAsk();
  startSource();
  startDocuments((id) => { show("document"); openDocument(id, me); });
  startDocument(
    async (id) => { show("documents"); await reload(); focusDocument(id); },
    (document) => { show("manage"); openDocumentAccess(document); },
  );
  startHistory((question) => { show("ask"); askAgain(question); });
  startIndexes();
  startManage();
  byId("sign-in").addEventListener("submit", signIn);
  byId("log-in").addEventListener("submit", signInByPassword);
  byId("my-keys").addEventListener("click", openKeys);
  byId("sign-out").addEventListener("click", async () => {
    if (!(await mayLeaveManage())) return;
    logOut();
    signOut();
  });
  for (const [name, opened] of Object.entries(OPENED)) byId(`tab-${name}`).addEventListener("click", async () => { if (await mayLeaveManage()) { show(name); opened(); } });
  byId("language").addEventListener("click", () => {
    switchLanguage();
    refreshWords();
    refreshDocumentWords(me?.is_admin);
    if (shown === "document") refreshDocument();
    else if (shown === "indexes") refreshIndexes();
    else if (shown === "manage") refreshManage();
    else if (shown !== "sign-in") OPENED[shown]();
  });
  if (!key()) return signOut();
  try {
    await enter();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (error.status === 401) signOut(error.message);
    else {
      show("sign-in");
      byId("sign-in-error").textContent = error.message;
    }
  }
}

await begin();
