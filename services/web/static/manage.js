// Managing: who may read what, why, people and groups, the audit log. Each person has the parts that it may use.

import { mayLeaveAccess, offerAccess, openAccess, refreshAccess, startAccess } from "/assets/access.js";
import { forgetAudit, openAudit, refreshAudit, startAudit } from "/assets/audit.js";
import { byId } from "/assets/dom.js";
import { forgetWhy, refreshWhy, startWhy } from "/assets/explain.js";
import { offerGroups, openGroups, refreshGroups, startGroups } from "/assets/groups.js";
import { forgetNames } from "/assets/people_names.js";
import { offerPeople, openPeople, refreshPeople, startPeople } from "/assets/people.js";

const OPENED = { access: openAccess, why: () => {}, people: () => Promise.all([openPeople(), openGroups()]), audit: openAudit };

let section = null;

export function startManage() {
  for (const start of [startAccess, startWhy, startPeople, startGroups, startAudit]) start();
  for (const name of Object.keys(OPENED)) {
    byId(`manage-tab-${name}`).addEventListener("click", async () => {
      if (section === name || (await mayLeaveAccess())) turnTo(name);
    });
  }
}

/** Prepare it for somebody, nothing of who was here before; true if there is a part that this person may use. */
export function offerManage(me, spaces) {
  const isAdmin = Boolean(me?.is_admin);
  const managed = spaces.filter((space) => isAdmin || space.role === "manager");
  const isTrusted = isAdmin || Boolean(me?.is_auditor);
  const allowed = [...(managed.length || isAdmin ? ["access"] : []), ...(isTrusted ? ["why", "people", "audit"] : [])];
  for (const name of Object.keys(OPENED)) byId(`manage-tab-${name}`).hidden = !allowed.includes(name);
  section = allowed[0] ?? null;
  forgetNames(isTrusted);
  offerAccess(managed, isAdmin);
  offerPeople(me);
  offerGroups(isAdmin);
  forgetWhy();
  forgetAudit();
  return allowed.length > 0;
}

export const openManage = () => turnTo(section);

/** Who may do what with one document. */
export function openDocumentAccess(document) {
  return turnTo("access", document);
}

/** True if nothing is unsaved, or the person throws it away. */
export const mayLeaveManage = mayLeaveAccess;

/** Draw it in the present language. */
export function refreshManage() {
  for (const refresh of [refreshAccess, refreshWhy, refreshPeople, refreshGroups, refreshAudit]) refresh();
}

async function turnTo(name, ...given) {
  section = name;
  for (const one of Object.keys(OPENED)) {
    byId(`manage-${one}`).hidden = one !== name;
    if (one === name) byId(`manage-tab-${one}`).setAttribute("aria-current", "page");
    else byId(`manage-tab-${one}`).removeAttribute("aria-current");
  }
  await OPENED[name](...given);
}
