// Who would gain and who would lose by a policy, asked before it is saved.

import { itemsOf, json } from "/assets/api.js";
import { askFor } from "/assets/dialog.js";
import { element } from "/assets/dom.js";
import { principalName } from "/assets/people_names.js";
import { words } from "/assets/words.js";

/** Show it in a dialog that saves by `send`; resolves to what that gave, or to null. Throws `Trouble` if it can't be told. */
export async function previewed(subject, policy, send) {
  const body = { policy, ...(subject.document ? { document: subject.document.id } : { space: subject.space }) };
  const [change, titles] = await Promise.all([json("/v1/access/preview", { method: "POST", body }), titlesOf(subject)]);
  const nodes = ["loses", "gains"].map((direction) => side(direction, change[direction], titles));
  return askFor(words("preview"), [element("p", { class: "hint" }, words("preview_hint")), ...nodes], { submit: words("save"), send, wide: true });
}

/** Titles of those documents that the person at the page may read; all others are told by their ids. */
async function titlesOf({ space, document }) {
  if (document) return new Map([[document.id, document.title]]);
  const found = await itemsOf(`/v1/documents?${new URLSearchParams({ space, limit: "200" })}`);
  return new Map(found.map(({ id, title }) => [id, title]));
}

function side(direction, { people, items }, titles) {
  const more = people - items.length;
  return element(
    "section", { class: `preview ${direction}` },
    element("h3", {}, words(`preview_${direction}`, { n: people })),
    people ? null : element("p", { class: "hint" }, words("preview_nobody")),
    element("ul", { class: "lines" }, ...items.map((one) => line(one, titles))),
    more > 0 ? element("p", { class: "hint" }, words("preview_more_people", { n: more })) : null,
  );
}

function line({ user, documents, document_ids: ids }, titles) {
  const more = documents - ids.length;
  const named = ids.map((id) => element("li", {}, titles.get(id) ?? element("code", {}, id)));
  if (more > 0) named.push(element("li", {}, words("preview_more_documents", { n: more })));
  return element(
    "li", { class: "line" },
    element("details", {},
      element("summary", {}, element("strong", {}, principalName(`user:${user}`)), " ", element("span", { class: "facts" }, words("preview_documents", { n: documents }))),
      element("ul", { class: "documents-named" }, ...named)),
  );
}
