// The audit log: newest first, narrowed, and verified.

import { Trouble, json } from "/assets/api.js";
import { eventLine } from "/assets/audit_event.js";
import { button, byId, element } from "/assets/dom.js";
import { offersNames } from "/assets/people_names.js";
import { asInstant } from "/assets/times.js";
import { words } from "/assets/words.js";

const FAMILIES = [
  "login", "logout", "password", "authentication", "identity", "key", "request", "search", "answer", "model", "document", "documents",
  "policy", "membership", "user", "group", "space", "complaint", "person", "versions", "job", "index", "access", "trace", "audit", "anomaly", "throttle",
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

/** To one request, whatever else was chosen; null = to what the fields say. */
async function narrow(id) {
  if (id) byId("audit-form").reset();
  trace = id;
  await load(null);
}

function ofDocument(id) {
  byId("audit-document").value = id;
  return narrow(null);
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
  list.append(...(more ?? events).map((event) => eventLine(event, { ofRequest: narrow, ofDocument })));
  if (!events.length) list.append(element("li", { class: "hint" }, words("audit_none")));
  byId("audit-more").hidden = !cursor;
  byId("audit-trace").replaceChildren(...(trace ? [words("audit_of_trace", { trace }), " ", button(words("audit_show_all"), () => narrow(null))] : []));
}

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
