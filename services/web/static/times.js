// Moments: shown in the person's own time zone and language, sent as RFC 3339.

const locale = () => document.documentElement.lang;

/** “2026年3月1日 09:30”. */
export const moment = (value) => new Date(value).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });

/** A day alone where the moment is the beginning of one here, or of one in UTC; else with its time. */
export function day(value) {
  const date = new Date(value);
  if (date.getHours() + date.getMinutes() + date.getSeconds() === 0) return date.toLocaleDateString(locale(), { dateStyle: "medium" });
  const isUtcDay = date.getUTCHours() + date.getUTCMinutes() + date.getUTCSeconds() === 0;
  return isUtcDay ? date.toLocaleDateString(locale(), { dateStyle: "medium", timeZone: "UTC" }) : moment(value);
}

/** What a date field or a date-and-time field holds, as RFC 3339; null if it is empty. */
export function asInstant(field) {
  if (!field.value) return null;
  return new Date(field.type === "date" ? `${field.value}T00:00` : field.value).toISOString();
}

/** A moment as a date-and-time field takes it. */
export function asField(date) {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** Seconds in words of the language's own digits: “40 s”, “3 min”. */
export function seconds(value) {
  const unit = value < 90 ? "second" : value < 5400 ? "minute" : "hour";
  const amount = Math.max(1, Math.round(value / { second: 1, minute: 60, hour: 3600 }[unit]));
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "short" }).format(amount);
}
