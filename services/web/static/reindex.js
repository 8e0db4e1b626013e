// Beginning a new index beside the live one.

import { itemsOf, json } from "/assets/api.js";
import { askFor, field } from "/assets/dialog.js";
import { element } from "/assets/dom.js";
import { words } from "/assets/words.js";

const number = (properties) => element("input", { type: "number", inputMode: "decimal", ...properties });

/** Ask what the new index is to be like, and begin it; resolves to what the server said, or null. */
export async function startReindex() {
  const [spaces, sets] = await Promise.all([itemsOf("/v1/spaces?limit=100"), itemsOf("/v1/golden-sets?limit=100")]);
  const inputs = fieldsOf(sets);
  const boxes = spaces.map((space) => element("input", { type: "checkbox", value: space.name }));
  const chosen = spaces.map((space, at) => element("label", { class: "check" }, boxes[at], space.title || space.name));
  const nodes = [
    element("p", { class: "hint" }, words("reindex_hint")),
    field(words("reindex_embedding"), inputs.embedding, words("reindex_embedding_hint")),
    element("div", { class: "field-row" }, field(words("reindex_max_tokens"), inputs.max), field(words("reindex_min_tokens"), inputs.min)),
    element("fieldset", { class: "checks" }, element("legend", {}, words("reindex_spaces")), ...chosen),
    field(words("reindex_gate"), inputs.set, words("reindex_gate_hint")),
    element("div", { class: "field-row" }, field(words("reindex_max_drop"), inputs.drop), field(words("reindex_min_ndcg"), inputs.floor)),
    inputs.options,
  ];
  return askFor(words("reindex"), nodes, {
    submit: words("reindex_begin"),
    send: () => json("/v1/reindex", { method: "POST", body: bodyOf(inputs, boxes) }),
  });
}

function fieldsOf(sets) {
  const set = element("input", { type: "text", autocomplete: "off", maxLength: 100 });
  set.setAttribute("list", "golden-sets");  // `list` of an element can only be read
  return {
    embedding: element("input", { type: "text", autocomplete: "off", maxLength: 200 }),
    max: number({ min: 32, max: 8192, step: 1 }),
    min: number({ min: 0, max: 8192, step: 1 }),
    set,
    drop: number({ min: 0, max: 1, step: "any", placeholder: "0.02" }),
    floor: number({ min: 0, max: 1, step: "any" }),
    options: element("datalist", { id: "golden-sets" }, ...sets.map((one) => element("option", { value: one.name }))),
  };
}

/** Only what was filled in: the rest is as the live index has it. */
function bodyOf({ embedding, max, min, set, drop, floor }, boxes) {
  const body = {};
  if (embedding.value.trim()) body.embedding = embedding.value.trim();
  const chunking = {};
  if (max.value) chunking.max_tokens = Number(max.value);
  if (min.value) chunking.min_tokens = Number(min.value);
  if (Object.keys(chunking).length) body.chunking = chunking;
  const spaces = boxes.filter((box) => box.checked).map((box) => box.value);
  if (spaces.length) body.spaces = spaces;
  if (set.value.trim()) {
    body.gate = { set: set.value.trim() };
    if (drop.value) body.gate.max_drop = Number(drop.value);
    if (floor.value) body.gate.min_ndcg = Number(floor.value);
  }
  return body;
}
