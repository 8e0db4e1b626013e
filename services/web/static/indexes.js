// Index generations, for administrators: what each was built with, how far it is, and what may be done with it.

import { Trouble, json } from "/assets/api.js";
import { confirmed } from "/assets/dialog.js";
import { button, byId, element, redraw } from "/assets/dom.js";
import { gateResult } from "/assets/gate.js";
import { finishedJob, hasEnded, paceOf, stageOf } from "/assets/jobs.js";
import { startReindex } from "/assets/reindex.js";
import { reloadSnapshots, startSnapshots } from "/assets/snapshots.js";
import { moment } from "/assets/times.js";
import { reasonOf, words } from "/assets/words.js";

const EVERY_MS = 1000;

let indexes = [];
let watching = null;  // ends the following of jobs when the tab is left

export function startIndexes() {
  byId("start-reindex").addEventListener("click", async () => { if (await startReindex()) await reload(); });
  startSnapshots();
}

/** Load and draw everything, and follow what is under way. */
export async function openIndexes() {
  await Promise.all([reload(), reloadSnapshots()]);
}

/** Stop following. */
export function leaveIndexes() {
  watching?.abort();
  watching = null;
}

/** Draw it in the present language. */
export function refreshIndexes() {
  draw();
  reloadSnapshots();
}

async function reload() {
  try {
    indexes = (await json("/v1/indexes")).items.filter((index) => index.state !== "dropped");
    byId("indexes-error").textContent = "";
    draw();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("indexes-error").textContent = error.message;
  }
}

function draw() {
  leaveIndexes();
  watching = new AbortController();
  redraw(byId("indexes"), ...indexes.map((index) => card(index, watching.signal)));
}

function card(index, signal) {
  const under = index.job && !hasEnded(index.job);
  return element(
    "li", { class: `index-card ${index.state}`, "aria-label": index.label },
    element(
      "div", { class: "card-head" },
      element("h3", {}, index.label),
      element("span", { class: `badge ${index.state === "live" ? "good" : index.state}` }, words(`index_${index.state}`)),
    ),
    facts(index),
    under ? progress(index.job, signal) : null,
    index.job?.error ? element("p", { class: "reason", title: index.job.error.detail }, reasonOf(index.job.error)) : null,
    gateResult(index, signal),
    element("div", { class: "card-actions", role: "group", "aria-label": index.label }, ...actions(index, under)),
  );
}

function facts(index) {
  const time = index.retired_at ?? index.live_at ?? index.ready_at ?? index.created_at;
  const pairs = [
    ["index_embedding", element("span", { title: index.embedding }, `${index.embedding.split("@")[0]} · ${index.dimension}`)],
    ["index_chunking", chunkingOf(index)],
    ["index_rows", index.rows.toLocaleString()],
    ["index_documents", index.documents.toLocaleString()],
    ["index_lag", index.lag === null ? "–" : index.lag ? words("index_behind", { n: index.lag }) : words("index_even")],
    ["index_since", moment(time)],
  ];
  return element("dl", { class: "index-facts" }, ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, words(name)), element("dd", {}, value))));
}

function chunkingOf({ chunking, space_chunking: bySpace }) {
  const tokens = words("index_tokens", { min: chunking.min_tokens, max: chunking.max_tokens });
  const others = Object.keys(bySpace).length;
  return others ? `${tokens} (${words("index_spaces", { n: others })})` : tokens;
}

/** A bar that follows the job; when it has ended the list is read again. */
function progress(job, signal) {
  const bar = element("progress", { max: 100, "aria-label": words("index_building") });
  const text = element("span", {});
  const told = (running) => {
    if (running.total) bar.value = (100 * running.done) / running.total;
    text.textContent = [stageOf(running), paceOf(running)].filter(Boolean).join(" · ");
  };
  told(job);
  finishedJob(job.id, told, { everyMs: EVERY_MS, signal }).then(reload, (error) => {
    if (error.name === "AbortError") return;
    if (!(error instanceof Trouble)) throw error;
    byId("indexes-error").textContent = error.message;
  });
  return element("p", { class: "progress" }, bar, text);
}

function actions(index, under) {
  const before = indexes.some((one) => one.state === "retired");
  const isKept = index.state === "ready" || index.state === "retired";
  const path = `/v1/reindex/${index.id}`;
  const offered = {
    promote: isKept && (() => switched(`${path}/promote`)),
    go_back: index.state === "live" && before && (() => switched(`${path}/rollback`)),
    cancel_build: index.state === "building" && under && (() => json(`/v1/jobs/${encodeURIComponent(index.job.id)}/cancel`, { method: "POST" })),
    drop: isKept && (() => json(`/v1/indexes/${index.id}`, { method: "DELETE" })),
  };
  return Object.entries(offered).filter(([, send]) => send).map(([name, send]) => button(
    words(name),
    async () => {
      const danger = name === "drop" || name === "cancel_build";
      if (await confirmed(words(name), words(`${name}_ask`, { label: index.label }), { submit: words(name), send, danger })) await reload();
    },
    { "data-focus": `${name}-${index.id}` },
  ));
}

/** The index that is live now; if the server only says which job makes it so, the end of that job. */
async function switched(path) {
  const answer = await json(path, { method: "POST" });
  if (!answer.job_id) return answer;
  const job = await finishedJob(answer.job_id, () => {}, { everyMs: EVERY_MS });
  if (job.error) throw new Trouble(reasonOf(job.error));
  return job;
}
