// Original files, saved under their own names.

import { call } from "/assets/api.js";
import { element } from "/assets/dom.js";

/** Save the original of a version. Throws `Trouble`. */
export async function download(documentId, number, title) {
  const response = await call(`/v1/documents/${encodeURIComponent(documentId)}/versions/${number}/content`);
  const named = /filename\*=UTF-8''([^;]+)/i.exec(response.headers.get("content-disposition") ?? "");
  const url = URL.createObjectURL(await response.blob());
  element("a", { href: url, download: named ? decodeURIComponent(named[1]) : title }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
