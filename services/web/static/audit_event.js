// One record of the audit log: in a line, and in full.

import { button, element } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { openTrace } from "/assets/trace.js";
import { known, words } from "/assets/words.js";

/** In words, as far as there are some: of the kind, or at least of its family. */
function kindWords({ kind }) {
  const [name, family] = [kind.replaceAll(".", "_"), kind.split(".", 1)[0]].map((one) => `audit_${one}`);
  return known(name) ? words(name) : known(family) ? `${words(family)} (${kind})` : kind;
}

function whoDid({ actor, actor_name: name, acting, acting_name: through }) {
  const who = name ?? actor ?? words("audit_nobody");
  return acting ? `${who} ${words("audit_through", { name: through ?? acting })}` : who;
}

/** A line that opens; `ofRequest(trace)` and `ofDocument(id)` narrow the list. */
export function eventLine(event, { ofRequest, ofDocument }) {
  const details = element(
    "details", {},
    element(
      "summary", {},
      element("time", { dateTime: event.at, class: "facts" }, moment(event.at)),
      element("strong", {}, kindWords(event)),
      element("span", { class: "facts" }, whoDid(event)),
      element("code", { class: "facts" }, summaryOf(event)),
    ),
  );
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(...everything(event, { ofRequest, ofDocument })); });
  return element("li", { class: "line event" }, details);
}

/** What tells requests apart at a glance. */
function summaryOf({ detail }) {
  return [detail.method, detail.route ?? detail.path, detail.code].filter((part) => typeof part === "string").join(" ");
}

function everything(event, { ofRequest, ofDocument }) {
  const pairs = [
    ["audit_seq", event.seq], ["audit_time", event.at], ["audit_kind", event.kind], ["audit_actor", idAndName(event.actor, event.actor_name)],
    ["audit_acting", idAndName(event.acting, event.acting_name)], ["audit_key_id", event.key_id], ["audit_address", event.address], ["audit_trace_id", event.trace_id],
  ].map(([name, value]) => [words(name), value]);
  const ids = event.documents.map((id) => element("div", {}, element("code", {}, id), " ", button(words("audit_only_this"), () => ofDocument(id), { class: "link" })));
  if (ids.length) pairs.push([words("audit_document_ids"), ids]);
  for (const [name, value] of Object.entries(event.detail)) pairs.push([name, typeof value === "string" ? value : JSON.stringify(value)]);
  const rows = pairs.filter(([, value]) => ![null, "", "{}", "[]"].includes(value)).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, ...[value].flat())));
  const traced = traceOf(event);
  const more = [
    traced ? button(words("trace_show"), () => openTrace(traced, namesIn(event))) : null,
    event.trace_id ? button(words("audit_same_request"), () => ofRequest(event.trace_id)) : null,
  ];
  return [element("dl", { class: "event-facts" }, ...rows), element("div", { class: "card-actions" }, ...more.filter(Boolean))];
}

const namesIn = ({ actor, actor_name: name, acting, acting_name: through }) => ({ ...(name ? { [actor]: name } : {}), ...(through ? { [acting]: through } : {}) });

/** What the trace of a search or an answer is found by; null for other events. */
function traceOf({ kind, trace_id: id, detail }) {
  const family = kind.split(".", 1)[0];
  if (family === "trace") return detail.trace ?? null;
  return ["search", "answer", "model"].includes(family) ? id : null;
}

const idAndName = (id, name) => (id && name ? `${name} (${id})` : id);
