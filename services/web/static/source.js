// The source panel: where a quote stands, highlighted in the stored text of that version.

import { Trouble, json } from "/assets/api.js";
import { versionWords } from "/assets/citation.js";
import { byId, element, slice } from "/assets/dom.js";
import { download } from "/assets/download.js";
import { words } from "/assets/words.js";

const AROUND = 400; // characters shown on each side of the quote

let opener = null;

export function startSource() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !byId("source").hidden) closeSource();
  });
}

export function closeSource() {
  byId("source").hidden = true;
  document.body.classList.remove("with-source");
  opener?.focus();
  opener = null;
}

/** Open the panel for a citation; `from` gets the focus back when it closes. */
export async function showSource(citation, from) {
  opener = from;
  const panel = byId("source");
  const passage = element("blockquote", { class: "passage" }, words("loading"));
  panel.replaceChildren(...head(citation), passage);
  panel.hidden = false;
  document.body.classList.add("with-source");
  panel.focus();
  try {
    const version = await json(`/v1/documents/${encodeURIComponent(citation.document_id)}/versions/${citation.version}`);
    passage.replaceChildren(...inContext([...version.text], citation));
    passage.querySelector("mark").scrollIntoView({ block: "center" });
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    passage.replaceChildren(element("mark", {}, citation.quote));
    passage.after(element("p", { class: "hint" }, words("context_gone")));
  }
}

function head(citation) {
  const { heading = [], page } = citation.source;
  const facts = [page ? words("page", { n: page }) : null, ...versionWords(citation)].filter(Boolean);
  return [
    element(
      "div", { class: "source-head" },
      element("span", { class: "marker" }, citation.marker.slice(1, -1)),
      element("h2", { id: "source-title" }, citation.title),
      element("button", { type: "button", class: "quiet", "aria-label": words("close"), onclick: closeSource }, "✕"),
    ),
    heading.length ? element("p", { class: "path" }, heading.join(" › ")) : "",
    element(
      "p", { class: "facts" }, ...facts.flatMap((fact) => [fact, " · "]),
      element("button", { type: "button", class: "link", onclick: () => save(citation) }, words("original")),
    ),
  ];
}

/** The quote in a `mark`, with the text around it from paragraph to paragraph. Offsets count code points. */
function inContext(characters, { source: { start, end }, quote }) {
  if (slice(characters, start, end) !== quote) return [element("mark", {}, quote)];
  const before = slice(characters, start - AROUND, start);
  const after = slice(characters, end, end + AROUND);
  const first = start > AROUND ? Math.max(0, before.indexOf("\n")) : 0;
  const last = end + AROUND < characters.length && after.includes("\n") ? after.lastIndexOf("\n") : after.length;
  return [
    start > AROUND ? "… " : "", before.slice(first).trimStart(),
    element("mark", {}, quote),
    after.slice(0, last).trimEnd(), end + AROUND < characters.length ? " …" : "",
  ];
}

async function save(citation) {
  try {
    await download(citation.document_id, citation.version, citation.title);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("source").append(element("p", { class: "error", role: "alert" }, error.message));
  }
}
