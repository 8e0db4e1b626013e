// Making elements. Text only ever becomes text: nothing here or elsewhere parses markup.

/** An element; `properties` are set on it, `class`, `role`, `aria-*` and `data-*` as attributes; children are nodes or strings. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in node && !name.includes("-")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Characters `start` to `end` of a text, counted as Unicode code points, as the server counts them. */
export const slice = (characters, start, end) => characters.slice(Math.max(0, start), end).join("");
