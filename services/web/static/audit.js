// The audit log: read newest first, narrowed, and verified.

import { Trouble, json } from "/assets/api.js";
import { button, byId, element } from "/assets/dom.js";
import { offersNames } from "/assets/people_names.js";
import { asInstant, moment } from "/assets/times.js";
import { openTrace } from "/assets/trace.js";
import { known, words } from "/assets/words.js";

const FAMILIES = [
  "login", "logout", "password", "authentication", "identity", "key", "request", "search", "answer", "model", "document", "documents",
  "policy", "membership", "user", "group", "space", "person", "versions", "job", "index", "access", "trace", "audit", "anomaly", "throttle",
];

let events = [];
let cursor = null;
let trace = null;    // the one request that the list is narrowed to
let verdict = null;
let asked = 0;

export function startAudit() {
  offersNames(byId("audit-actor"), "user");
  byId("audit-form").addEventListener("submit", (event) => {
    event.preventDefault();
    narrow(null);
  });
  byId("audit-all").addEventListener("click", () => {
    byId("audit-form").reset();
    narrow(null);
  });
  byId("audit-more").addEventListener("click", () => load(cursor));
  byId("audit-verify").addEventListener("click", verify);
}

export function forgetAudit() {
  events = [];
  trace = null;
  verdict = null;
  asked += 1;
  byId("audit-form").reset();
  for (const id of ["audit-verdict", "audit-events", "audit-error"]) byId(id).replaceChildren();
}

export async function openAudit() {
  drawKinds();
  await load(null);
}

/** Draw it in the present language. */
export function refreshAudit() {
  drawKinds();
  drawVerdict();
  draw();
}

function drawKinds() {
  const select = byId("audit-kind");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "" }, words("audit_all_kinds")),
    ...FAMILIES.map((family) => element("option", { value: family }, words(`audit_${family}`))),
  );
  select.value = chosen;
}

async function narrow(id) {
  trace = id;
  await load(null);
}

async function load(after) {
  const turn = ++asked;
  const query = new URLSearchParams({ limit: "50" });
  for (const name of ["actor", "document", "kind"]) {
    const value = byId(`audit-${name}`).value.trim();
    if (value) query.set(name, value);
  }
  const since = asInstant(byId("audit-since"));
  if (since) query.set("since", since);
  if (trace) query.set("trace", trace);
  if (after) query.set("cursor", after);
  try {
    const page = await json(`/v1/audit?${query}`);
    if (turn !== asked) return;
    events = after ? [...events, ...page.items] : page.items;
    cursor = page.next_cursor;
    byId("audit-error").textContent = "";
    draw(after ? page.items : null);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    if (turn === asked) byId("audit-error").textContent = error.message;
  }
}

/** Draw all, or only append what came after it. */
function draw(more = null) {
  const list = byId("audit-events");
  if (!more) list.replaceChildren();
  list.append(...(more ?? events).map(line));
  if (!events.length) list.append(element("li", { class: "hint" }, words("audit_none")));
  byId("audit-more").hidden = !cursor;
  byId("audit-trace").replaceChildren(...(trace ? [words("audit_of_trace", { trace }), " ", button(words("audit_show_all"), () => narrow(null))] : []));
}

/** In words, as far as there are some: of the kind, or at least of its family. */
function kindWords({ kind }) {
  const [name, family] = [kind.replaceAll(".", "_"), kind.split(".", 1)[0]].map((one) => `audit_${one}`);
  return known(name) ? words(name) : known(family) ? `${words(family)} (${kind})` : kind;
}

const whoDid = (event) => [event.actor_name ?? event.actor ?? words("audit_nobody"), event.acting ? words("audit_through", { name: event.acting_name ?? event.acting }) : null].filter(Boolean).join(" ");

function line(event) {
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
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(...everything(event)); });
  return element("li", { class: "line event" }, details);
}

/** What tells requests apart at a glance. */
function summaryOf({ detail }) {
  return [detail.method, detail.route ?? detail.path, detail.code].filter((part) => typeof part === "string").join(" ");
}

function everything(event) {
  const pairs = [
    ["audit_seq", event.seq], ["audit_time", event.at], ["audit_kind", event.kind], ["audit_actor", idAndName(event.actor, event.actor_name)],
    ["audit_acting", idAndName(event.acting, event.acting_name)], ["audit_key_id", event.key_id], ["audit_address", event.address], ["audit_trace_id", event.trace_id],
  ].map(([name, value]) => [words(name), value]);
  const ids = event.documents.map((id) => element("div", {}, element("code", {}, id), " ", button(words("audit_only_this"), () => { byId("audit-document").value = id; narrow(null); }, { class: "link" })));
  if (ids.length) pairs.push([words("audit_document_ids"), ids]);
  for (const [name, value] of Object.entries(event.detail)) pairs.push([name, typeof value === "string" ? value : JSON.stringify(value)]);
  const rows = pairs.filter(([, value]) => ![null, "", "{}", "[]"].includes(value)).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, ...[value].flat())));
  const traced = traceOf(event);
  const more = [
    traced ? button(words("trace_show"), () => openTrace(traced, namesIn(event))) : null,
    event.trace_id ? button(words("audit_same_request"), () => narrow(event.trace_id)) : null,
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

async function verify() {
  verdict = { running: true };
  drawVerdict();
  byId("audit-verify").disabled = true;
  try {
    verdict = await json("/v1/audit/verify", { method: "POST", body: {} });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    verdict = { trouble: error.message };
  }
  byId("audit-verify").disabled = false;
  drawVerdict();
}

function drawVerdict() {
  const box = byId("audit-verdict");
  box.className = verdict === null || verdict.running ? "hint" : verdict.ok ? "verdict good" : "verdict bad";
  box.textContent = verdict === null ? "" : verdict.running ? words("audit_verifying") : verdict.trouble ?? verdictWords(verdict);
}

function verdictWords({ ok, records, heads_checked: heads, first_broken: broken, key_unknown: unknown }) {
  const counted = { n: records.toLocaleString(), heads: heads.toLocaleString() };
  const said = [ok ? words("audit_ok", counted) : broken ? words("audit_broken", { seq: broken.seq, why: words(`broken_${broken.why}`) }) : words("audit_not_ok")];
  if (unknown) said.push(words("audit_key_unknown", { n: unknown.toLocaleString() }));
  return said.join(" ");
}
