// The documents that this person may read; for those who may upload: drag and drop, progress, reasons for failures.

import { Trouble, json } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";
import { known, reasonOf, words } from "/assets/words.js";

const POLL_MS = 700;
const ENDED = ["succeeded", "failed", "cancelled"];

let spaces = [];
let mayUpload = new Set();
let cursor = null;
let asked = 0;

export function startDocuments() {
  byId("documents-space").addEventListener("change", reload);
  let timer;
  byId("find").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(reload, 250);
  });
  byId("more").addEventListener("click", () => load(cursor));
  byId("files").addEventListener("change", (event) => {
    upload([...event.target.files]);
    event.target.value = "";
  });
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); upload([...event.dataTransfer.files]); });
}

export function offerDocumentSpaces(found, isAdmin) {
  spaces = found;
  mayUpload = new Set(found.filter((s) => isAdmin || s.role === "editor" || s.role === "manager").map((s) => s.name));
  const select = byId("documents-space");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "" }, words("all_spaces")),
    ...found.map((space) => element("option", { value: space.name }, space.title || space.name)),
  );
  select.value = found.some((space) => space.name === chosen) ? chosen : "";
}

export function refreshDocumentWords(isAdmin) {
  offerDocumentSpaces(spaces, isAdmin);
}

/** Load the list from its beginning. */
export async function reload() {
  const space = byId("documents-space").value;
  byId("drop").hidden = !mayUpload.has(space);
  const title = spaces.find((one) => one.name === space)?.title || space;
  byId("drop-space").textContent = words("drop_space", { space: title });
  await load(null);
}

async function load(after) {
  const turn = ++asked;
  const query = new URLSearchParams({ limit: "50" });
  if (byId("documents-space").value) query.set("space", byId("documents-space").value);
  if (byId("find").value.trim()) query.set("q", byId("find").value.trim());
  if (after) query.set("cursor", after);
  const rows = byId("documents-rows");
  try {
    const page = await json(`/v1/documents?${query}`);
    if (turn !== asked) return; // a later question has been asked meanwhile
    byId("documents-error").textContent = "";
    if (!after) rows.replaceChildren();
    rows.append(...page.items.map(row));
    if (!rows.children.length) rows.append(element("tr", {}, element("td", { colSpan: 6, class: "hint" }, words("no_documents"))));
    cursor = page.next_cursor;
    byId("more").hidden = !cursor;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("documents-error").textContent = error.message;
  }
}

function row(item) {
  const { reason, status: state } = item;
  const title = spaces.find((one) => one.name === item.space)?.title ?? item.space;
  return element(
    "tr", {},
    element("th", { scope: "row" }, item.title),
    element("td", {}, title),
    element("td", {}, item.version ? String(item.version) : "–"),
    element("td", {}, element("span", { class: `level ${item.classification}` }, words(`level_${item.classification}`))),
    element("td", { class: "state" }, words(`state_${state}`), reason ? element("small", { title: reason.detail }, reasonOf(reason)) : null),
    element("td", {}, new Date(item.updated_at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" })),
  );
}

async function upload(files) {
  const space = byId("documents-space").value;
  if (!mayUpload.has(space)) return;
  await Promise.all(files.map((file) => uploadOne(file, space)));
  await reload();
}

async function uploadOne(file, space) {
  const bar = element("progress", { max: 100, "aria-label": file.name });
  const state = element("span", { class: "upload-state" }, words("up_sending"));
  const line = element("li", { class: "upload" }, element("span", { class: "upload-name" }, file.name), bar, state);
  byId("uploads").prepend(line);
  const end = (kind, text) => {
    bar.remove();
    line.classList.add(kind);
    state.textContent = text;
  };
  const form = new FormData();
  form.append("space", space);
  form.append("external_id", file.name);
  form.append("file", file);
  try {
    const accepted = await json("/v1/documents", { method: "POST", body: form });
    if (!accepted.job_id) return end("indexed", words("up_unchanged"));
    state.textContent = words("up_queued");
    // Of a file that is unchanged this is the job of its first upload, which may have failed.
    const job = await finished(accepted.job_id, bar, state);
    if (job.state === "succeeded" && job.stage !== "skipped") return end("indexed", words(accepted.unchanged ? "up_unchanged" : "up_indexed"));
    const page = job.error?.page ? ` (${words("page", { n: job.error.page })})` : "";
    state.title = job.error?.detail ?? "";
    return end("failed", `${words(job.state === "succeeded" ? "up_skipped" : "up_failed")}: ${job.error ? reasonOf(job.error) : job.state}${page}`);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return end("failed", `${words("up_failed")}: ${error.message}`);
  }
}

async function finished(id, bar, state) {
  for (;;) {
    const job = await json(`/v1/jobs/${encodeURIComponent(id)}`);
    if (ENDED.includes(job.state)) return job;
    if (job.total) bar.value = (100 * job.done) / job.total;
    const stage = `stage_${job.stage}`;
    state.textContent = job.state === "queued" ? words("up_queued") : (known(stage) ? words(stage) : job.stage);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
