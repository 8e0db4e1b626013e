// People and service accounts: who there is, what each may read, and what each may manage.

import { Trouble, json } from "/assets/api.js";
import { confirmed } from "/assets/dialog.js";
import { button, byId, element, redraw } from "/assets/dom.js";
import { openKeys } from "/assets/people_keys.js";
import { forgetNames } from "/assets/people_names.js";
import { addPerson, editPerson, setPassword } from "/assets/person.js";
import { words } from "/assets/words.js";

let isAdmin = false;
let myId = null;
let people = [];
let cursor = null;
let asked = 0;

export function startPeople() {
  byId("people-find").addEventListener("input", draw);
  byId("people-more").addEventListener("click", () => load(cursor));
  byId("person-add").addEventListener("click", async () => {
    const added = await addPerson();
    if (!added) return;
    forgetNames();
    people = [...people, added];
    byId("people-find").value = added.name;  // in sight, however long the list is
    draw();
  });
}

/** For `me`, who changes them as an administrator, or else looks. */
export function offerPeople(me) {
  const admin = Boolean(me?.is_admin);
  isAdmin = admin;
  myId = me?.id ?? null;
  people = [];
  asked += 1;
  byId("people").replaceChildren();
  byId("person-add").hidden = !admin;
  byId("people-find").value = "";
}

export const openPeople = () => load(null);

async function load(after) {
  const turn = ++asked;
  try {
    const page = await json(`/v1/users?limit=100${after ? `&cursor=${encodeURIComponent(after)}` : ""}`);
    if (turn !== asked) return;
    people = after ? [...people, ...page.items] : page.items;
    cursor = page.next_cursor;
    byId("people-more").hidden = !cursor;
    byId("people-error").textContent = "";
    draw();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (turn === asked) byId("people-error").textContent = error.message;
  }
}

/** Draw them in the present language. */
export const refreshPeople = () => draw();

function draw() {
  const sought = byId("people-find").value.trim().toLowerCase();
  const found = people.filter((one) => [one.name, one.display_name, one.email ?? ""].some((text) => text.toLowerCase().includes(sought)));
  redraw(byId("people"), ...(found.length ? found.map(line) : [element("li", { class: "hint" }, words("people_none"))]));
}

function line(one) {
  const badges = [
    one.kind === "service" ? ["badge", "kind_service"] : null, one.is_admin ? ["badge good", "administrator"] : null,
    one.is_auditor ? ["badge good", "auditor"] : null, one.active ? null : ["badge failed", "inactive"],
  ].filter(Boolean);
  return element(
    "li", { class: one.active ? "line" : "line faded", "aria-label": one.name },
    element("strong", {}, one.name),
    one.display_name === one.name ? null : element("span", {}, one.display_name),
    element("span", { class: `level ${one.clearance}`, title: words("clearance") }, words(`level_${one.clearance}`)),
    ...badges.map(([kind, name]) => element("span", { class: kind }, words(name))),
    element("div", { class: "card-actions", role: "group", "aria-label": one.name }, ...actions(one)),
  );
}

function actions(one) {
  const of = (name) => ({ "data-focus": `${name}-${one.id}` });
  const keys = button(words("keys"), () => openKeys(one, isAdmin), of("keys"));
  if (!isAdmin) return [keys];
  return [
    button(words("change"), async () => put(await editPerson(one)), of("change")),
    keys,
    one.kind === "service" ? null : button(words("password"), () => setPassword(one, one.id === myId), of("password")),
    button(words(one.active ? "deactivate" : "reactivate"), () => switchActive(one), of("active")),
  ].filter(Boolean);
}

async function switchActive(one) {
  const name = one.active ? "deactivate" : "reactivate";
  const send = () => json(`/v1/users/${encodeURIComponent(one.id)}`, { method: "PATCH", body: { active: !one.active } });
  put(await confirmed(words(name), words(`${name}_ask`, { name: one.name }), { submit: words(name), send, danger: one.active }));
}

/** Show somebody as the server has it now. */
function put(changed) {
  if (!changed) return;
  people = people.map((one) => (one.id === changed.id ? changed : one));
  forgetNames();
  draw();
}
