// Why somebody can or cannot read a document, now or at another moment.

import { Trouble, json } from "/assets/api.js";
import { findsDocuments } from "/assets/document_finder.js";
import { byId, element } from "/assets/dom.js";
import { offersNames } from "/assets/people_names.js";
import { asInstant, moment } from "/assets/times.js";
import { words } from "/assets/words.js";

let finder = null;
let shown = null;  // {explanation, title} of the last answer
let asked = 0;

export function startWhy() {
  offersNames(byId("why-user"), "user");
  finder = findsDocuments(byId("why-document"), "why-documents");
  byId("why-form").addEventListener("submit", ask);
}

export function forgetWhy() {
  shown = null;
  asked += 1;
  byId("why-form").reset();
  for (const id of ["why-answer", "why-documents"]) byId(id).replaceChildren();
  byId("why-error").textContent = "";
}

/** Draw the answer in the present language. */
export function refreshWhy() {
  byId("why-answer").replaceChildren(...(shown ? answer(shown) : []));
}

async function ask(event) {
  event.preventDefault();
  for (const id of ["why-user", "why-document"]) if (!byId(id).value.trim()) return byId(id).focus();
  const turn = ++asked;
  const user = byId("why-user").value.trim();
  const query = new URLSearchParams({ user, document: finder.id() });
  const at = asInstant(byId("why-at"));
  if (at) query.set("at", at);
  try {
    const explanation = await json(`/v1/access/explain?${query}`);
    if (turn !== asked) return;
    byId("why-error").textContent = "";
    shown = { explanation, user: user === explanation.user_id ? ownName(explanation) : user, title: finder.chosen()?.title ?? explanation.document_id };
    refreshWhy();
    byId("why-answer").focus();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (turn === asked) byId("why-error").textContent = error.message;
  }
}

/** What an entry calls the person, if one names it; else its id. */
function ownName({ user_id: id, entries }) {
  const found = entries.flatMap(({ via }) => via.slice(0, 1)).find((name) => name.startsWith("user:"));
  return found ? found.slice("user:".length) : id;
}

function answer({ explanation: found, user, title }) {
  const verdict = words(found.readable ? "why_yes" : "why_no", { user, title });
  const facts = [
    ["why_rule", words(`rule_${found.rule}`)],
    ["why_moment", moment(found.at)],
    ["why_policy", words(`why_policy_${found.policy}`)],
    ["why_role", words(`role_${found.role ?? "none"}`)],
    ["clearance", words(`level_${found.clearance}`)],
    ["classification", words(`level_${found.classification}`)],
  ];
  return [
    element("p", { class: found.readable ? "verdict good" : "verdict bad" }, verdict),
    element("dl", { class: "index-facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, words(name)), element("dd", {}, value)))),
    element("h3", {}, words("why_entries")),
    found.entries.length ? element("ul", { class: "lines" }, ...found.entries.map(entryLine)) : element("p", { class: "hint" }, words("why_no_entries")),
  ];
}

function entryLine(entry) {
  const denied = entry.effect === "deny";
  const dates = [
    entry.effective_from ? words("from_moment", { time: moment(entry.effective_from) }) : null,
    entry.effective_to ? words("until_moment", { time: moment(entry.effective_to) }) : null,
  ].filter(Boolean).join(" · ");
  return element(
    "li", { class: entry.in_effect ? "line" : "line faded" },
    element("span", { class: denied ? "badge failed" : "badge good" }, words(denied ? "role_denied" : `role_${entry.role}`)),
    element("span", { class: "way" }, entry.via.map(bare).join(" → ")),
    element("span", { class: "facts" }, [words(`why_in_${entry.source}`), dates].filter(Boolean).join(" · ")),
    entry.in_effect ? null : element("span", { class: "badge" }, words("why_not_in_effect")),
  );
}

const bare = (name) => (name === "everyone" ? words("principal_everyone") : name.replace(/^user:/, "").replace(/^group:/, `${words("principal_group")} `));
