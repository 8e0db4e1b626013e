// The trace of a search or an answer: its stages, what was found, which model was asked; and the same once more.

import { Trouble, json } from "/assets/api.js";
import { openDialog } from "/assets/dialog.js";
import { button, element } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { known, words } from "/assets/words.js";

/** Show it in a dialog; `id` is a request's trace id or the trace's own, `names` has what people are called by their ids. */
export async function openTrace(id, names = {}) {
  const content = element("div", { class: "trace" }, element("p", { class: "hint" }, words("loading")));
  openDialog(words("trace_title"), [content], { wide: true });
  try {
    content.replaceChildren(...shown(await json(`/v1/traces/${encodeURIComponent(id)}`), names));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    content.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
  }
}

function shown(trace, names) {
  const verdict = element("div", { role: "status" });
  const again = button(words("trace_replay"), () => replay(trace.id, again, verdict), { class: "primary" });
  return [
    element("p", { class: "trace-question" }, trace.question ?? words("trace_question_withheld")),
    facts(factsOf(trace, names)),
    element("h3", {}, words("trace_stages")),
    facts(stagesOf(trace)),
    element("h3", {}, words("trace_passages")),
    element("ol", { class: "lines" }, ...trace.passages.map(passage)),
    trace.withheld ? element("p", { class: "hint" }, words("trace_withheld", { n: trace.withheld })) : "",
    !trace.withheld && !trace.passages.length ? element("p", { class: "hint" }, words("trace_no_passages")) : "",
    trace.refused && trace.refused.chunk_ids.length + trace.refused.withheld
      ? element("p", { class: "hint" }, words("trace_refused", { n: trace.refused.chunk_ids.length + trace.refused.withheld })) : "",
    trace.same_trace.length ? element("p", { class: "hint" }, words("trace_others"), " ", ...trace.same_trace.map((id) => button(id, () => openTrace(id, names), { class: "link" }))) : "",
    verdict,
    element("div", { class: "dialog-foot" }, again),
  ];
}

const facts = (pairs) => element("dl", { class: "index-facts" }, ...pairs.filter(([, value]) => value !== null && value !== undefined).map(
  ([name, value]) => element("div", {}, element("dt", {}, words(name)), element("dd", {}, value)),
));

function factsOf({ kind, user_id: user, acting, created_at: created, epoch, index, embedding, answer }, names) {
  return [
    ["audit_kind", words(`trace_${kind}`)], ["audit_time", created ? moment(created) : null], ["audit_actor", names[user] ?? user],
    ["audit_acting", acting && (names[acting] ?? acting)],
    ["trace_outcome", answer ? words(`outcome_${answer.outcome}`) : null], ["trace_reason", answer?.reason ?? answer?.error_code],
    ["trace_model", answer ? (answer.model ?? answer.prompts.at(-1)?.model ?? words("role_none")) : null],
    ["trace_citations", answer ? String(answer.citations) : null], ["trace_epoch", String(epoch)], ["trace_index", index === null ? null : `${index} · ${(embedding ?? "").split("@")[0]}`],
  ];
}

/** Times in milliseconds, in the order of the stages. */
function stagesOf({ took_ms: took, answer }) {
  const order = ["embed", "search", "check", "total"];
  const stages = order.filter((name) => name in took).map((name) => [`took_${name}`, took[name]]);
  if (answer) stages.push(["took_answer", answer.took_ms]);
  return stages.map(([name, ms]) => [name, `${ms.toFixed(1)} ms`]);
}

function passage(one) {
  return element(
    "li", { class: "line" },
    element("span", { class: "marker" }, String(one.number)),
    element("strong", {}, one.title || one.document_id),
    element("span", { class: "facts" }, `${words("version_n", { n: one.version })} · ${one.start}–${one.end} · ${one.score.toFixed(3)}`),
    one.cited ? element("span", { class: "badge good" }, words("trace_cited")) : one.in_context ? element("span", { class: "badge" }, words("trace_in_context")) : null,
  );
}

async function replay(id, again, verdict) {
  again.disabled = true;
  verdict.className = "hint";
  verdict.replaceChildren(words("trace_replaying"));
  try {
    const found = await json(`/v1/traces/${encodeURIComponent(id)}/replay`, { method: "POST" });
    verdict.className = "";
    verdict.replaceChildren(...replayed(found));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    verdict.className = "error";
    verdict.replaceChildren(error.message);
  }
  again.disabled = false;
}

const because = (code) => (known(`why_not_${code}`) ? words(`why_not_${code}`) : code ?? "");

function replayed({ identical, why_not: why, today, today_why_not: todayWhy }) {
  const kind = identical === null ? "hint" : identical ? "verdict good" : "verdict bad";
  const said = identical ? words("replay_identical") : words(identical === null ? "replay_untold" : "replay_different", { why: because(why) });
  return [element("p", { class: kind }, said), element("h3", {}, words("replay_today")), today ? facts(differences(today)) : element("p", { class: "hint" }, because(todayWhy))];
}

/** What would differ if the asker asked now. */
function differences({ same_index: sameIndex, same_model: sameModel, model, abstains, unreadable, not_found: gone, added }) {
  const count = ({ shown, withheld }) => String(shown.length + withheld);
  return [
    ["replay_unreadable", count(unreadable)], ["replay_not_found", count(gone)], ["replay_added", count(added)],
    ["trace_index", words(sameIndex ? "same" : "different")], ["trace_model", model === null ? null : `${model} (${words(sameModel ? "same" : "different")})`],
    ["replay_abstains", abstains],
  ];
}
