// The gate of an index: passed or refused, the figures beside the live index's, the questions that got worse.

import { Trouble, json } from "/assets/api.js";
import { element } from "/assets/dom.js";
import { finishedJob } from "/assets/jobs.js";
import { words } from "/assets/words.js";

const EVERY_MS = 1000;

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
    report.append(metricsTable(evaluation.report), worseTable(evaluation.report));
    box.append(element("details", {}, element("summary", {}, words("gate_report")), report));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Trouble)) throw error;
    box.append(element("p", { class: "error", role: "alert" }, error.message));
  }
}

/** Mean figures of the live index and of this one. */
function metricsTable({ metrics }) {
  const rows = Object.entries(metrics).map(([name, { before, after }]) => [name, before, after]);
  return table(words("gate_figures"), words("gate_metric"), rows);
}

function worseTable({ worse }) {
  if (!worse.length) return element("p", { class: "hint" }, words("gate_none_worse"));
  return table(words("gate_worse"), words("gate_question"), worse.map(({ question, before, after }) => [question, before, after]));
}

function table(caption, first, rows) {
  const head = [first, words("gate_before"), words("gate_after"), words("gate_change")];
  return element(
    "div", { class: "table-frame" },
    element(
      "table", {},
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head.map((text, at) => element("th", { scope: "col", class: at ? "number" : null }, text)))),
      element("tbody", {}, ...rows.map(figures)),
    ),
  );
}

function figures([name, before, after]) {
  const cell = (text, kind = "number") => element("td", { class: kind }, text);
  const shown = (value) => (typeof value === "number" ? value.toFixed(3) : "–");
  const change = typeof before === "number" && typeof after === "number" ? after - before : null;
  const sign = change === null ? "–" : `${change > 0 ? "+" : ""}${change.toFixed(3)}`;
  return element("tr", {}, element("th", { scope: "row" }, name), cell(shown(before)), cell(shown(after)), cell(sign, change < 0 ? "number worse" : "number"));
}
