// Asking in the past: now, a moment, or a snapshot, with a banner whenever it is not now.

import { itemsOf } from "/assets/api.js";
import { byId, element } from "/assets/dom.js";
import { asField, asInstant, moment } from "/assets/times.js";
import { words } from "/assets/words.js";

const MOMENT = "moment";
const SNAPSHOT = "snapshot:";

let snapshots = [];

export function startMoment() {
  byId("ask-as-of").addEventListener("change", () => {
    const field = byId("as-of-moment");
    if (byId("ask-as-of").value === MOMENT && !field.value) field.value = asField(new Date());
    show();
    if (!field.hidden) field.focus();
  });
  byId("as-of-now").addEventListener("click", () => {
    backToNow();
    byId("ask-as-of").focus();
  });
}

/** Ask about the present again. */
export function backToNow() {
  byId("ask-as-of").value = "";
  show();
}

/** Offer the snapshots that there are now; without any that can be read, a moment alone. */
export async function offerMoments() {
  snapshots = await itemsOf("/v1/snapshots?limit=100");
  refreshMoment();
}

/** Draw the choice in the present language, keeping what is chosen. */
export function refreshMoment() {
  const select = byId("ask-as-of");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "" }, words("as_of_now")),
    element("option", { value: MOMENT }, words("as_of_moment")),
    ...snapshots.map((one) => element("option", { value: SNAPSHOT + one.name }, words("as_of_snapshot", { name: one.name }))),
  );
  select.value = [...select.options].some((option) => option.value === chosen) ? chosen : "";
  show();
}

function show() {
  const { value } = byId("ask-as-of");
  byId("as-of").hidden = !value;
  byId("as-of-moment").hidden = value !== MOMENT;
  const snapshot = snapshots.find((one) => SNAPSHOT + one.name === value);
  byId("as-of-words").textContent = snapshot
    ? words("as_of_banner_snapshot", { name: snapshot.name, time: moment(snapshot.created_at) })
    : words("as_of_banner");
}

/** What to ask as of: `{value, words}`; null for now; undefined, with the field shown as wrong, while no moment is given. */
export function chosenMoment() {
  const { value } = byId("ask-as-of");
  if (!value) return null;
  if (value !== MOMENT) return { value, words: words("as_of_snapshot", { name: value.slice(SNAPSHOT.length) }) };
  const field = byId("as-of-moment");
  if (!field.reportValidity()) return undefined;
  return { value: asInstant(field), words: moment(asInstant(field)) };
}
