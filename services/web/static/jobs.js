// Long work: asked about until it has ended.

import { json } from "/assets/api.js";
import { seconds } from "/assets/times.js";
import { known, words } from "/assets/words.js";

const ENDED = ["succeeded", "failed", "cancelled"];

export const hasEnded = (job) => ENDED.includes(job.state);

/** The job when it has ended; `told` is called with it each time before. `signal` ends the asking with an AbortError. */
export async function finishedJob(id, told, { everyMs = 700, signal } = {}) {
  for (;;) {
    const job = await json(`/v1/jobs/${encodeURIComponent(id)}`, { signal });
    if (hasEnded(job)) return job;
    told(job);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
    signal?.throwIfAborted();
  }
}

/** What the job is doing, in words. */
export function stageOf(job) {
  if (job.state === "queued") return words("up_queued");
  return known(`stage_${job.stage}`) ? words(`stage_${job.stage}`) : job.stage;
}

/** “120 / 400 · 35 a second · 8 s left”, as far as it is known. */
export function paceOf(job) {
  const parts = [];
  if (job.total) parts.push(`${job.done.toLocaleString()} / ${job.total.toLocaleString()}`);
  if (job.rate) parts.push(words("rate", { n: job.rate >= 10 ? Math.round(job.rate) : job.rate.toFixed(1) }));
  if (job.eta) parts.push(words("eta", { time: seconds(job.eta) }));
  return parts.join(" · ");
}
