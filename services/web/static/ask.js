// The conversation: a question, its answer as it is written, its citations.

import { citationLine, withMarkers } from "/assets/answer.js";
import { Trouble, call, events } from "/assets/api.js";
import { backToNow, chosenMoment, offerMoments, refreshMoment, startMoment } from "/assets/as_of.js";
import { byId, element } from "/assets/dom.js";
import { closeSource } from "/assets/source.js";
import { words } from "/assets/words.js";

let conversation = null;
let running = null;
let spaces = [];
let following = true; // until its reader scrolls, the page keeps the newest answer in view

export function startAsk() {
  const question = byId("question");
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (running) running.abort();
    else ask(question.value.trim());
  });
  question.addEventListener("keydown", (event) => {
    // While an input method composes Chinese, Enter chooses a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) ask(question.value.trim());
  });
  question.addEventListener("input", fit);
  for (const scrolled of ["wheel", "touchmove", "keydown"]) {
    byId("turns").addEventListener(scrolled, () => { following = false; }, { passive: true });
  }
  byId("new-conversation").addEventListener("click", newConversation);
  startMoment();
}

/** Offer these spaces as the search's scope, and begin anew. */
export function offerSpaces(found) {
  spaces = found;
  const select = byId("ask-space");
  const chosen = select.value;
  select.replaceChildren(
    element("option", { value: "" }, words("all_spaces")),
    ...found.map((space) => element("option", { value: space.name }, space.title || space.name)),
  );
  select.value = found.some((space) => space.name === chosen) ? chosen : "";
}

export function newConversation() {
  running?.abort();
  offerMoments();
  conversation = null;
  closeSource();
  byId("turns").replaceChildren(welcome());
  byId("question").focus();
}

/** Ask this of the documents as they are now, in a new conversation. */
export function askAgain(question) {
  newConversation();
  backToNow();
  return ask(question);
}

function welcome() {
  const example = (name) => element("button", { type: "button", class: "example", onclick: () => ask(words(name)) }, words(name));
  return element(
    "div", { class: "empty" },
    element("h1", {}, words("empty_title")),
    element("p", {}, words("welcome_lead")),
    element("p", { class: "hint" }, words("empty_lead")),
    element("div", { class: "examples" }, example("example_1"), example("example_2"), example("example_3")),
  );
}

/** Show again in the present language what has no content of its own. */
export function refreshWords() {
  if (byId("turns").querySelector(".empty")) byId("turns").replaceChildren(welcome());
  offerSpaces(spaces);
  refreshMoment();
  setRunning(running);
}

async function ask(question) {
  const past = chosenMoment();
  if (!question || past === undefined) return;
  const turn = newTurn(question, past);
  const control = new AbortController();
  setRunning(control);
  try {
    await follow(turn, question, past, control.signal);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof Trouble)) throw error;
    turn.fail(error.name === "AbortError" ? words("stopped") : error.message);
  } finally {
    if (running === control) setRunning(null);
  }
}

async function follow(turn, question, past, signal) {
  const body = { question, stream: true };
  if (conversation) body.conversation_id = conversation;
  const space = byId("ask-space").value;
  if (space) body.spaces = [space];
  if (past) body.as_of = past.value;
  const response = await call("/v1/ask", { method: "POST", body, signal });
  let finished = false;
  for await (const { event, data } of events(response)) {
    if (event === "retrieval") turn.retrieved(data.passages);
    else if (event === "token") turn.say(data.text);
    else if (event === "citation") turn.cite(data);
    else if (event === "error") throw new Trouble(words("error_other", { detail: data.detail }));
    else if (event === "done") {
      finished = true;
      conversation = data.conversation_id ?? conversation;
      turn.finish(data, space ? [space] : spaces.map((one) => one.title || one.name));
    }
  }
  if (!finished) throw new Trouble(words("error_broken"));
}

/** The nodes of one question and answer, and what changes them. */
function newTurn(question, past) {
  byId("turns").querySelector(".empty")?.remove();
  byId("question").value = "";
  fit();
  const status = element("p", { class: "status" }, words("searching"));
  const answer = element("div", { class: "answer" });
  const sources = element("ol", { class: "citations", "aria-label": words("sources") });
  const article = element(
    "article", { class: "turn", "aria-busy": "true" },
    element("h2", { class: "question" }, question),
    past ? element("p", { class: "asked-as-of" }, words("asked_as_of", { time: past.words })) : null,
    status, answer, sources,
  );
  byId("turns").append(article);
  following = true;
  keepInView(article);

  let text = "";
  let citations = [];
  const draw = () => {
    answer.replaceChildren(...withMarkers(text, citations));
    sources.replaceChildren(...citations.map(citationLine));
    keepInView(article);
  };
  const announce = (message) => { byId("announce").textContent = message; };
  return {
    retrieved(passages) { status.textContent = passages.length ? words("found", { n: passages.length }) : words("found_none"); },
    say(piece) { text += piece; status.hidden = true; draw(); },
    cite(citation) { citations.push(citation); draw(); },
    finish(done, searched) {
      text = done.answer ?? text;
      citations = done.citations ?? citations;
      status.hidden = true;
      draw();
      if (done.abstained) markUnknown(article, searched);
      else if (done.experimental) sources.before(element("p", { class: "hint" }, words("experimental", { model: done.model })));
      if (done.reason === "model_interrupted") sources.before(element("p", { class: "hint" }, words("interrupted")));
      if (done.incomplete?.length) article.append(element("p", { class: "hint" }, words("incomplete", { spaces: done.incomplete.join("、") })));
      keepInView(article);
      article.setAttribute("aria-busy", "false");
      announce(done.abstained ? words("abstained") : words("answered", { n: citations.length }));
    },
    fail(message) {
      status.hidden = true;
      article.setAttribute("aria-busy", "false");
      article.append(element("p", { class: "error", role: "alert" }, message));
    },
  };
}

/** Scrolls until the question stands on top or all of the answer is to be seen, unless its reader has scrolled away. */
function keepInView(article) {
  if (following) article.scrollIntoView({ block: "start", behavior: "smooth" });
}

function markUnknown(article, searched) {
  article.classList.add("unknown");
  article.querySelector(".answer").before(element("p", { class: "unknown-label" }, words("unknown")));
  article.append(
    element("p", { class: "hint" }, `${words("unknown_searched")} · ${words("unknown_spaces", { spaces: searched.join(", ") })}`),
  );
}

function setRunning(control) {
  running = control;
  byId("send").textContent = words(control ? "stop" : "send");
}

function fit() {
  const question = byId("question");
  question.style.height = "auto";
  question.style.height = `${Math.min(question.scrollHeight, 200)}px`;
}
