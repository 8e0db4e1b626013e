// The gate of an index: passed or refused, the figures beside the live index's, the questions that got worse.

import { Trouble, json } from "/assets/api.js";
import { element } from "/assets/dom.js";
import { finishedJob } from "/assets/jobs.js";
import { words } from "/assets/words.js";

const EVERY_MS = 1000;
const FIGURES = { ndcg_10: "nDCG@10", recall_5: "recall@5", recall_10: "recall@10", mrr: "MRR" };

/** What the gate said of an index, with its report to be opened; null without a gate. `signal` ends the waiting for it. */
export function gateResult(index, signal) {
  if (!index.gate && !index.evaluation_id) return null;
  const mark = element("span", { class: "badge" }, words("gate_pending"));
  const report = element("div", { class: "gate-report" });
  const line = element("p", { class: "gate" }, element("span", {}, words("gate_of", { set: index.gate?.set ?? "–" })), " ", mark);
  const box = element("div", {}, line);
  if (index.evaluation_id) fill(index.evaluation_id, { mark, report, box, signal });
  return box;
}

async function fill(id, { mark, report, box, signal }) {
  try {
    const path = `/v1/evaluations/${encodeURIComponent(id)}`;
    let evaluation = await json(path);
    if (!evaluation.report && evaluation.job_id) {
      await finishedJob(evaluation.job_id, () => {}, { everyMs: EVERY_MS, signal });
      evaluation = await json(path);
    }
    const verdict = evaluation.passed === null ? "pending" : evaluation.passed ? "passed" : "refused";
    mark.textContent = words(`gate_${verdict}`);
    mark.classList.add(`gate-${verdict}`);
    if (!evaluation.report) return;
    report.append(...summaryOf(evaluation.report), figuresTable(evaluation.report), worseTable(evaluation.report));
    box.append(element("details", {}, element("summary", {}, words("gate_report")), report));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Trouble)) throw error;
    box.append(element("p", { class: "error", role: "alert" }, error.message));
  }
}

/** What was measured, in one line; the reasons if it was refused. */
function summaryOf({ questions, left_out: leftOut, drop, p_value: p, trials, leaks, refused_because: reasons }) {
  const facts = [words("gate_questions", { n: questions })];
  if (leftOut.length) facts.push(words("gate_left_out", { n: leftOut.length }));
  if (drop !== null) facts.push(`nDCG@10 ${signed(-drop, 3)}`);
  if (p !== null) facts.push(`p = ${p.toFixed(3)}`);
  facts.push(words("gate_trials", { n: trials, leaks: leaks.length }));
  return [
    reasons?.length ? element("p", { class: "reason" }, reasons.map((reason) => words(`refused_${reason}`)).join(" · ")) : "",
    element("p", { class: "facts" }, facts.join(" · ")),
  ];
}

/** Means over all questions and times of a search, of the live index and of this one. */
function figuresTable({ generation, baseline }) {
  const quality = Object.entries(FIGURES).map(([name, shown]) => line(shown, baseline?.figures[name], generation.figures[name], { digits: 3 }));
  const times = ["p50_ms", "p95_ms"].map((name) => line(words(`gate_${name}`), baseline?.[name], generation[name], { digits: 1, lowIsGood: true }));
  return table(words("gate_figures"), words("gate_metric"), [...quality, ...times]);
}

function worseTable({ worse }) {
  if (!worse.length) return element("p", { class: "hint" }, words("gate_none_worse"));
  const lines = worse.map(({ id, question, baseline, figures }) => line(question ?? id, baseline.ndcg_10, figures.ndcg_10, { digits: 3 }));
  return table(`${words("gate_worse")} (nDCG@10)`, words("gate_question"), lines);
}

function table(caption, first, lines) {
  const head = [first, words("gate_before"), words("gate_after"), words("gate_change")];
  return element(
    "div", { class: "table-frame" },
    element(
      "table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head.map((text, at) => element("th", { scope: "col", class: at ? "number" : null }, text)))),
      element("tbody", {}, ...lines),
    ),
  );
}

const signed = (value, digits) => `${value > 0 ? "+" : ""}${value.toFixed(digits)}`;

function line(name, before, after, { digits, lowIsGood = false }) {
  const change = before === undefined ? null : after - before;
  const isWorse = change !== null && (lowIsGood ? change > 0 : change < 0);
  const cell = (text, kind = "number") => element("td", { class: kind }, text);
  return element(
    "tr", {}, element("th", { scope: "row" }, name),
    cell(before === undefined ? "–" : before.toFixed(digits)), cell(after.toFixed(digits)),
    cell(change === null ? "–" : signed(change, digits), isWorse ? "number worse" : "number"),
  );
}
