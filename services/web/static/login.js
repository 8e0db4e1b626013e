// Logging in with name and password; a session is kept and sent like a key.

import { call, json, key } from "/assets/api.js";

/** The token of a new session. Throws `Trouble`. */
export const logIn = async (name, password) =>
  (await json("/v1/login", { method: "POST", body: { name, password }, anonymous: true })).token;

/** End the session on the server, too; one that can't be reached any more ends by itself. */
export function logOut() {
  if (key()?.startsWith("zs_")) call("/v1/logout", { method: "POST" }).catch(() => {});
}
