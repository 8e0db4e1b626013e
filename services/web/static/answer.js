// How an answer is shown: its text with markers, and its list of sources.

import { versionWords } from "/assets/citation.js";
import { element } from "/assets/dom.js";
import { showSource } from "/assets/source.js";
import { words } from "/assets/words.js";

/** The text with every `[n]` that has a citation as a button that opens its source. */
export function withMarkers(text, citations) {
  const byMarker = new Map(citations.map((citation) => [citation.marker, citation]));
  return text.split(/(\[\d+\])/).filter(Boolean).map((part) => {
    const citation = byMarker.get(part);
    if (!citation) return document.createTextNode(part);
    return element("button", {
      type: "button", class: "marker", title: citation.title,
      "aria-label": `${words("source", { marker: part })}: ${citation.title}`,
      onclick: (event) => showSource(citation, event.currentTarget),
    }, part.slice(1, -1));
  });
}

/** One line of the list of sources. */
export function citationLine(citation) {
  const { heading = [], page } = citation.source;
  const where = [...heading, page ? words("page", { n: page }) : null, ...versionWords(citation)].filter(Boolean);
  const dotted = where.flatMap((part, index) => (index ? [" · ", part] : [part]));
  return element(
    "li", {},
    element(
      "button", { type: "button", class: "citation", onclick: (event) => showSource(citation, event.currentTarget) },
      element("span", { class: "marker" }, citation.marker.slice(1, -1)),
      element("span", { class: "citation-text" }, element("strong", {}, citation.title), element("small", {}, ...dotted)),
    ),
  );
}
