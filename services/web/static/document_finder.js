// A text field that finds a document by its title, among those that one may read; an id can be typed, too.

import { itemsOf } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";

const WAIT_MS = 250;

/** `found(id, document)` is called when one is chosen; `document` is null for an id that was typed. */
export function findsDocuments(field, listId, found = () => {}) {
  const offered = new Map();
  let timer;
  field.autocomplete = "off";
  field.setAttribute("list", listId);
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (!offered.has(field.value)) timer = setTimeout(() => offer(field, listId, offered), WAIT_MS);
  });
  field.addEventListener("change", () => {
    const document = offered.get(field.value) ?? null;
    const id = document?.id ?? field.value.trim();
    if (id) found(id, document);
  });
  return { chosen: () => offered.get(field.value) ?? null, id: () => offered.get(field.value)?.id ?? field.value.trim() };
}

async function offer(field, listId, offered) {
  const asked = field.value.trim();
  if (!asked) return;
  const items = await itemsOf(`/v1/documents?${new URLSearchParams({ q: asked, limit: "12" })}`);
  if (field.value.trim() !== asked) return;  // more has been typed meanwhile
  for (const item of items) offered.set(`${item.title} (${item.id})`, item);
  byId(listId).replaceChildren(...items.map((item) => element("option", { value: `${item.title} (${item.id})` })));
}
