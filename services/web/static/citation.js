// Which version a citation quotes, and whether readers still see that version.

import { element } from "/assets/dom.js";
import { day } from "/assets/times.js";
import { words } from "/assets/words.js";

/** When something is in force, in words; null if always. */
export function inForce({ effective_from: from, effective_to: to }) {
  if (from && to) return words("in_force_between", { from: day(from), to: day(to) });
  if (from) return words("in_force_from", { from: day(from) });
  return to ? words("in_force_to", { to: day(to) }) : null;
}

/** “v2 · since replaced”, and its dates if it has any: nodes and strings to be joined by dots. */
export function versionWords(citation) {
  const number = words("version_n", { n: citation.version });
  const replaced = citation.current === false;  // absent: nothing is known about it
  const version = replaced ? element("span", { class: "replaced" }, `${number} · ${words("since_replaced")}`) : number;
  return [version, inForce(citation)].filter(Boolean);
}
