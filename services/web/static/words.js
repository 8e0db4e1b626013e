// Words in the present language; the choice is remembered on this computer.

import { en } from "/assets/words_en.js";
import { zh } from "/assets/words_zh.js";

const LANGUAGES = { zh, en };
const REMEMBERED = "zhiku.language";

export let language = localStorage.getItem(REMEMBERED) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The words for `name`, with `{slots}` filled in; the name itself if there are none. */
export function words(name, slots = {}) {
  const text = LANGUAGES[language][name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, slot) => String(slots[slot] ?? ""));
}

export const known = (name) => name in LANGUAGES[language];

/** Why something was refused or not indexed: the server says it in English, `code` may have words in the present language. */
export function reasonOf({ code, detail, errors = [] }) {
  if (!known(`reason_${code}`)) return detail;
  const fields = errors.map(({ loc }) => String(loc.at(-1))).map((name) => (known(name) ? words(name) : name));
  return words(`reason_${code}`, { named: /'([^']*)'/.exec(detail)?.[1], fields: [...new Set(fields)].join("、") });
}

/** Show the fixed words of the page in the present language. */
export function applyWords() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", words(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = words(node.dataset.placeholder);
  const toggle = document.getElementById("language");
  toggle.textContent = language === "zh" ? "English" : "中文";
  toggle.lang = language === "zh" ? "en" : "zh-CN";
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem(REMEMBERED, language);
  applyWords();
}
