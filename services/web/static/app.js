// Signing in and out, the two tabs, the language.

import { Trouble, forgetKey, json, keepKey, key } from "/assets/api.js";
import { newConversation, offerSpaces, refreshWords, startAsk } from "/assets/ask.js";
import { offerDocumentSpaces, refreshDocumentWords, reload, startDocuments } from "/assets/documents.js";
import { byId } from "/assets/dom.js";
import { closeSource, startSource } from "/assets/source.js";
import { applyWords, switchLanguage } from "/assets/words.js";

const VIEWS = ["sign-in", "ask", "documents"];

let me = null;

function show(view) {
  for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
  for (const name of ["ask", "documents"]) {
    if (name === view) byId(`tab-${name}`).setAttribute("aria-current", "page");
    else byId(`tab-${name}`).removeAttribute("aria-current");
  }
  for (const id of ["tabs", "me", "sign-out"]) byId(id).hidden = view === "sign-in";
  closeSource();
}

async function enter() {
  me = await json("/v1/users/me");
  const spaces = (await json("/v1/spaces?limit=100")).items;
  byId("me").textContent = me.display_name || me.name;
  offerSpaces(spaces);
  offerDocumentSpaces(spaces, me.is_admin);
  show("ask");
  newConversation();
}

async function signIn(event) {
  event.preventDefault();
  const field = byId("key");
  byId("sign-in-error").textContent = "";
  if (!field.value.trim()) return field.focus();
  keepKey(field.value.trim());
  try {
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
  byId("turns").replaceChildren();
  byId("uploads").replaceChildren();
  byId("documents-rows").replaceChildren();
  show("sign-in");
  byId("sign-in-error").textContent = message;
  byId("key").focus();
}

async function begin() {
  applyWords();
  startAsk();
  startSource();
  startDocuments();
  byId("sign-in").addEventListener("submit", signIn);
  byId("sign-out").addEventListener("click", () => signOut());
  byId("tab-ask").addEventListener("click", () => show("ask"));
  byId("tab-documents").addEventListener("click", () => { show("documents"); reload(); });
  byId("language").addEventListener("click", () => {
    switchLanguage();
    refreshWords();
    refreshDocumentWords(me?.is_admin);
    if (!byId("view-documents").hidden) reload();
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
