// Two versions compared passage by passage: what was added, removed, changed, moved.

import { Trouble, json } from "/assets/api.js";
import { openDialog } from "/assets/dialog.js";
import { differing } from "/assets/differing.js";
import { element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const KINDS = ["added", "removed", "changed", "moved"];

/** Compare `version` with the one before it, or with whichever of `versions` is chosen. */
export function openDiff(document, version, versions) {
  const numbers = versions.map((one) => one.number).sort((a, b) => a - b);
  const older = numbers.filter((number) => number < version.number);
  const from = chooser(words("diff_from"), numbers, older.length ? older.at(-1) : version.number);
  const to = chooser(words("diff_to"), numbers, older.length ? version.number : numbers.find((number) => number !== version.number));
  const result = element("div", { class: "diff", "aria-live": "polite" });
  const draw = () => compare(document, from.select.value, to.select.value, result);
  for (const { select } of [from, to]) select.addEventListener("change", draw);
  openDialog(`${words("compare")} · ${document.title}`, [element("div", { class: "diff-choice" }, from.label, to.label), result], { wide: true });
  return draw();
}

function chooser(text, numbers, chosen) {
  const select = element("select", {}, ...numbers.map((n) => element("option", { value: n }, words("version_n", { n }))));
  select.value = String(chosen);
  return { select, label: element("label", { class: "select" }, element("span", {}, text), select) };
}

async function compare(document, from, to, result) {
  const asked = `${from}-${to}`;
  result.dataset.asked = asked;
  result.setAttribute("aria-busy", "true");
  try {
    const diff = await json(`/v1/documents/${encodeURIComponent(document.id)}/versions/${from}/diff/${to}`);
    if (result.dataset.asked !== asked) return;  // another pair was chosen meanwhile
    result.replaceChildren(summaryOf(diff), ...diff.changes.map((change) => changeShown(change, diff)));
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    result.replaceChildren(element("p", { class: "error", role: "alert" }, error.message));
  } finally {
    result.setAttribute("aria-busy", "false");
  }
}

function summaryOf({ summary, changes }) {
  const counts = [...KINDS, "unchanged"].map((kind) => element("span", { class: `badge ${kind}` }, `${words(`diff_${kind}`)} ${summary[kind]}`));
  return element("p", { class: "diff-summary" }, ...(changes.length ? [] : [words("diff_none"), " "]), ...counts);
}

function changeShown({ kind, before, after }, { from, to }) {
  const { heading = [], page } = after ?? before;
  const where = [...[heading ?? []].flat(), page ? words("page", { n: page }) : null].filter(Boolean).join(" › ");
  const marked = kind === "changed" ? differing(before.text, after.text) : { before: [before?.text ?? ""], after: [after?.text ?? ""] };
  return element(
    "section", { class: `change ${kind}` },
    element("h3", {}, element("span", { class: `badge ${kind}` }, words(`diff_${kind}`)), " ", where),
    element("div", { class: "sides" }, side(from, before, marked.before), side(to, after, marked.after)),
  );
}

function side(number, passage, nodes) {
  return element(
    "div", { class: passage ? "side" : "side absent" },
    element("p", { class: "side-name" }, words("version_n", { n: number })),
    passage ? element("p", { class: "side-text" }, ...nodes) : element("p", { class: "hint" }, words("diff_absent")),
  );
}
