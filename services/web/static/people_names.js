// Names to choose from, for those who may list people and groups; everybody else types the name.

import { Trouble, json } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const LISTS = { user: "/v1/users?limit=200", group: "/v1/groups?limit=200" };
const PAGES = 5;  // a choice of more than a thousand is none: who is not on it can still be typed

let mayList = false;
let known = new Map();  // principal → what people call it
let loading = {};

/** Begin anew for somebody else, or after people or groups have changed. */
export function forgetNames(may = mayList) {
  mayList = may;
  loading = {};
  known = new Map();
  for (const kind of Object.keys(LISTS)) byId(`${kind}-names`).replaceChildren();
}

/** Let a text field offer the names of people (`user`) or of groups (`group`); they are loaded when it is first used. */
export function offersNames(field, kind) {
  field.autocomplete = "off";
  field.setAttribute("list", `${kind}-names`);  // `list` of an element can only be read
  field.addEventListener("focus", () => loadNames(kind));
}

/** Resolves when the names of this kind are there, as far as this person may list them. */
export function loadNames(kind) {
  if (!mayList) return Promise.resolve();
  loading[kind] ??= load(kind, known);
  return loading[kind];
}

async function load(kind, into) {
  try {
    const items = [];
    for (let page = 0, cursor = ""; page < PAGES && cursor !== null; page += 1) {
      const found = await json(`${LISTS[kind]}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      items.push(...found.items);
      cursor = found.next_cursor;
    }
    for (const one of items) into.set(`${kind}:${one.name}`, one.display_name ?? one.title);
    if (into !== known) return;
    byId(`${kind}-names`).replaceChildren(...items.map((one) => element("option", { value: one.name, label: one.display_name ?? one.title })));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;  // names can be typed
  }
}

/** A principal as people read it: “li.na · Li Na”, “everyone”. */
export function principalName(principal) {
  if (principal === "everyone") return words("principal_everyone");
  const name = principal.replace(/^(user|group):/, "");
  const called = known.get(principal);
  return called && called !== name ? `${name} · ${called}` : name;
}

export const principalKind = (principal) => (principal.includes(":") ? principal.split(":", 1)[0] : "everyone");
