// Values as people read them.

/** Anything of a document, in a cell. */
export function cell(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A time as the browser's language writes it; what is no time stays as it is. */
export function time(value) {
  const date = new Date(value);
  return value === undefined || value === null || Number.isNaN(date.getTime()) ? cell(value) : date.toLocaleString();
}

export function money(amount, currency) {
  if (typeof amount !== "number") return cell(amount);
  return currency ? `${amount.toFixed(2)} ${currency}` : amount.toFixed(2);
}

/** The sum of quantity × unitPrice, in whole hundredths, so that 3 × 0.10 is 0.30. */
export function totalOf(items) {
  return items.reduce((sum, item) => sum + Math.round((item.unitPrice || 0) * 100) * item.quantity, 0) / 100;
}

/** The member of a document at a dotted path, as indexes name it. */
export const memberAt = (document, path) =>
  path.split(".").reduce((value, name) => (value === undefined || value === null ? undefined : value[name]), document);

/** When a request was made: the first 48 bits of its UUIDv7 (RFC 9562) are milliseconds; undefined for other ids. */
export function timeOfRequest(id) {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id || "");
  return match ? parseInt(match[1] + match[2], 16) : undefined;
}
