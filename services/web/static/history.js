// One's own conversations, and which answers rest on documents that have changed since.

import { citationLine, withMarkers } from "/assets/answer.js";
import { Trouble, call, json } from "/assets/api.js";
import { confirmed } from "/assets/dialog.js";
import { button, byId, element } from "/assets/dom.js";
import { moment } from "/assets/times.js";
import { words } from "/assets/words.js";

let cursor = null;
let askAgain = null;

/** `again(question)` asks a question in a new conversation. */
export function startHistory(again) {
  askAgain = again;
  byId("history-more").addEventListener("click", () => load(cursor));
}

export const reloadHistory = () => load(null);

async function load(after) {
  const list = byId("conversations");
  try {
    const page = await json(`/v1/conversations?limit=30${after ? `&cursor=${encodeURIComponent(after)}` : ""}`);
    byId("history-error").textContent = "";
    if (!after) list.replaceChildren();
    list.append(...page.items.map(conversationLine));
    if (!list.children.length) list.append(element("li", { class: "hint" }, words("no_conversations")));
    cursor = page.next_cursor;
    byId("history-more").hidden = !cursor;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    byId("history-error").textContent = error.message;
  }
}

/** A conversation; its turns are read when it is opened. */
function conversationLine(item) {
  const turns = element("div", { class: "past-turns" });
  const error = element("p", { class: "error", role: "alert" });
  const details = element(
    "details", { class: "conversation" },
    element("summary", {}, element("span", { class: "conversation-title" }, item.title), element("small", {}, moment(item.updated_at))),
    turns, error,
    button(words("delete_conversation"), () => remove(item, line)),
  );
  details.addEventListener("toggle", () => {
    if (details.open && !turns.children.length) open(item, turns, error);
  });
  const line = element("li", {}, details);
  return line;
}

async function open(item, turns, error) {
  error.textContent = "";
  turns.replaceChildren(element("p", { class: "hint" }, words("loading")));
  try {
    const found = await json(`/v1/conversations/${encodeURIComponent(item.id)}`);
    turns.replaceChildren(...found.turns.map(turnShown));
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    turns.replaceChildren();
    error.textContent = trouble.message;
  }
}

function turnShown(turn) {
  const answer = turn.answer === null
    ? element("p", { class: "hint" }, words(turn.reason === "erased" ? "answer_erased" : "withheld"))
    : element("div", { class: "answer" }, ...withMarkers(turn.answer, turn.citations));
  return element(
    "article", { class: turn.abstained && turn.answer !== null ? "turn unknown" : "turn" },
    element("h3", { class: "question" }, turn.question),
    element("p", { class: "hint" }, moment(turn.created_at)),
    turn.stale?.length ? staleMark(turn) : null,
    turn.abstained && turn.answer !== null ? element("p", { class: "unknown-label" }, words("unknown")) : null,
    answer,
    element("ol", { class: "citations", "aria-label": words("sources") }, ...turn.citations.map(citationLine)),
  );
}

/** What has become of the sources, and a way to ask again. */
function staleMark(turn) {
  const statuses = [...new Set(turn.stale.map((one) => one.status))];
  return element(
    "p", { class: "stale" },
    element("span", {}, statuses.map((status) => words(`stale_${status}`)).join(" · ")), " ",
    element("button", { type: "button", class: "link", onclick: () => askAgain(turn.question) }, words("ask_again")),
  );
}

async function remove(item, line) {
  const send = () => call(`/v1/conversations/${encodeURIComponent(item.id)}`, { method: "DELETE" });
  if (!(await confirmed(words("delete_conversation"), words("delete_conversation_ask", { title: item.title }), { submit: words("delete"), send, danger: true }))) return;
  const next = line.nextElementSibling ?? line.previousElementSibling;
  line.remove();
  if (next) next.querySelector("summary")?.focus();
  else await reloadHistory();
}
