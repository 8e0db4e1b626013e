// Files on their way in: sent, followed to their end, with the reason where they failed.

import { Trouble, json } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";
import { finishedJob, stageOf } from "/assets/jobs.js";
import { asInstant } from "/assets/times.js";
import { reasonOf, words } from "/assets/words.js";

/** Send every file to the space, with what was said about them; that is asked anew for the next ones. */
export async function uploadAll(files, space) {
  const said = saidOfThem();
  byId("about-files").reset();
  await Promise.all(files.map((file) => uploadOne(file, space, said)));
}

function saidOfThem() {
  const said = { comment: byId("upload-comment").value.trim() };
  for (const name of ["effective_from", "effective_to"]) said[name] = asInstant(byId(`upload-${name.replace("_", "-")}`));
  return Object.entries(said).filter(([, value]) => value);
}

async function uploadOne(file, space, said) {
  const form = new FormData();
  form.append("space", space);
  form.append("external_id", file.name);
  for (const [name, value] of said) form.append(name, value);
  form.append("file", file);
  await followed(file.name, byId("uploads"), () => json("/v1/documents", { method: "POST", body: form }));
}

/** A line in `list` for something received: `send` gives what the server accepted. True if it is what readers may see. */
export async function followed(name, list, send) {
  const bar = element("progress", { max: 100, "aria-label": name });
  const state = element("span", { class: "upload-state" }, words("up_sending"));
  const line = element("li", { class: "upload" }, element("span", { class: "upload-name" }, name), bar, state);
  list.prepend(line);
  const end = (kind, text) => {
    bar.remove();
    line.classList.add(kind);
    state.textContent = text;
    return kind === "indexed";
  };
  try {
    const accepted = await send();
    if (!accepted.job_id) return end("indexed", words("up_unchanged"));
    state.textContent = words("up_queued");
    // Of a file that is unchanged this is the job of its first upload, which may have failed.
    const job = await finishedJob(accepted.job_id, (running) => {
      if (running.total) bar.value = (100 * running.done) / running.total;
      state.textContent = stageOf(running);
    });
    if (job.state === "succeeded" && job.stage !== "skipped") return end("indexed", words(accepted.unchanged ? "up_unchanged" : "up_indexed"));
    const page = job.error?.page ? ` (${words("page", { n: job.error.page })})` : "";
    state.title = job.error?.detail ?? "";
    return end("failed", `${words(job.state === "succeeded" ? "up_skipped" : "up_failed")}: ${job.error ? reasonOf(job.error) : job.state}${page}`);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return end("failed", `${words("up_failed")}: ${error.message}`);
  }
}
