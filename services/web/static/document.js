// One document: its versions, newest first, and what may be done with them.

import { Trouble, json } from "/assets/api.js";
import { inForce } from "/assets/citation.js";
import { actionsOf, documentActions } from "/assets/document_actions.js";
import { mayManage, spaceTitle } from "/assets/documents.js";
import { byId, element, redraw } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { reasonOf, words } from "/assets/words.js";

let shown = null;  // {document, versions} while the view is open
let me = null;
let openAccess = null;

/** `back(id)` shows the list again; `access(document)` who may do what with it. */
export function startDocument(back, access) {
  openAccess = access;
  byId("document-back").addEventListener("click", () => back(shown?.document.id));
}

/** Show a document's history; `person` is who looks at it. */
export async function openDocument(id, person) {
  me = person;
  shown = null;
  byId("document-error").textContent = "";
  byId("document-work").replaceChildren();
  byId("document-facts").replaceChildren(words("loading"));
  for (const name of ["document-title", "document-actions", "versions"]) byId(name).replaceChildren();
  await refresh(id);
  byId("document-title").focus();
}

/** Read it again and draw it; the focus stays on the control that has it. */
export async function refresh(id) {
  const path = `/v1/documents/${encodeURIComponent(id)}`;
  try {
    const [document, versions] = await Promise.all([json(path), json(`${path}/versions`)]);
    shown = { document, versions: versions.items };
    byId("document-error").textContent = "";
    draw();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("document-facts").replaceChildren();
    byId("document-error").textContent = error.message;
  }
}

/** Draw it in the present language. */
export function refreshDocument() {
  if (shown) draw();
}

function draw() {
  const { document, versions } = shown;
  const again = () => refresh(document.id);
  byId("document-title").textContent = document.title;
  const facts = [spaceTitle(document.space), words(`level_${document.classification}`), ...document.tags.map((tag) => `#${tag}`)];
  byId("document-facts").replaceChildren(facts.join(" · "));
  redraw(byId("document-actions"), ...documentActions(document, versions, { again, access: mayManage(document, me) && (() => openAccess(document)) }));
  redraw(byId("versions"), ...versions.map((version) => versionCard(document, version, versions, again)));
}

function versionCard(document, version, versions, again) {
  const name = words("version_n", { n: version.number });
  const states = version.state === "indexed" ? null : element("span", { class: `badge ${version.state}` }, words(`state_${version.state}`));
  const facts = [moment(version.created_at), whoOf(version), originOf(version), inForce(version)].filter(Boolean);
  return element(
    "li", { class: version.current ? "version-card current" : "version-card", "aria-label": name },
    element(
      "div", { class: "card-head" },
      element("h2", {}, name),
      version.current ? element("span", { class: "badge good" }, words("seen_now")) : null, states,
      isYetToCome(version) ? element("span", { class: "badge" }, words("not_yet")) : null,
      version.purged_at ? element("span", { class: "badge" }, words("purged", { time: moment(version.purged_at) })) : null,
    ),
    element("p", { class: "facts" }, ...facts.flatMap((fact, index) => (index ? [" · ", fact] : [fact]))),
    version.title === document.title ? null : element("p", { class: "facts" }, `${words("title")}: ${version.title}`),
    version.comment ? element("p", { class: "comment" }, version.comment) : null,
    version.reason ? element("p", { class: "reason", title: version.reason.detail }, reasonOf(version.reason)) : null,
    element("div", { class: "card-actions", role: "group", "aria-label": name }, ...actionsOf(document, version, versions, again)),
  );
}

const isYetToCome = ({ state, effective_from: from }) => state === "indexed" && from !== null && new Date(from) > new Date();

function whoOf({ created_by: id }) {
  if (id === me?.id) return words("by_you");
  // Ids begin with their time: the end tells them apart.
  return element("span", { title: id }, words("by_somebody", { id: id.length > 12 ? `…${id.slice(-8)}` : id }));
}

function originOf({ origin, based_on: base, source_uri: uri }) {
  const name = base && ["rollback", "edit"].includes(origin) ? `origin_${origin}_of` : `origin_${origin}`;
  return element("span", { title: uri }, words(name, { n: base }));
}
