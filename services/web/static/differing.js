// Which words of a changed passage differ, by the longest common subsequence of its words and characters.

import { element } from "/assets/dom.js";

const WORDS = /[A-Za-z0-9]+|\s+|./gsu;
const MAX_CELLS = 4_000_000;  // beyond that the middle is shown as changed as a whole

/** Nodes of both texts, with `del` around what is gone and `ins` around what is new. */
export function differing(before, after) {
  const a = before.match(WORDS) ?? [];
  const b = after.match(WORDS) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const kept = common(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const marks = (words, same, tag) => runs(words, (i) => i < head || i >= words.length - tail || same.has(i - head), tag);
  return { before: marks(a, kept.a, "del"), after: marks(b, kept.b, "ins") };
}

/** Positions in `a` and in `b` of a longest common subsequence. */
function common(a, b) {
  const same = { a: new Set(), b: new Set() };
  if (a.length * b.length > MAX_CELLS) return same;
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] = a[i] === b[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) { same.a.add(i++); same.b.add(j++); }
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return same;
}

function runs(words, isSame, tag) {
  const nodes = [];
  for (let i = 0; i < words.length;) {
    const same = isSame(i);
    let text = "";
    while (i < words.length && isSame(i) === same) text += words[i++];
    nodes.push(same ? text : element(tag, {}, text));
  }
  return nodes;
}
