// Names, numbers and lengths of time as text.

/** A name without letters that break a line or turn its direction, for these would move what stands beside it. */
const shown = (name) => name.replace(/[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");

/** Functions with their names fit to be shown, and as short as tells them apart. */
function namedFunctions(functions) {
  const named = functions.map((own) => ({ ...own, text: shown(own.name) }));
  const bare = named.map(({ text }) => bareName(text));
  const counts = new Map();
  for (const name of bare) counts.set(name, (counts.get(name) ?? 0) + 1);
  return named.map((own, place) => ({ ...own, short: counts.get(bare[place]) === 1 ? bare[place] : own.text }));
}

/** The name in a signature of C++, without what it returns, its namespaces, and what it takes. */
function bareName(text) {
  if (text.length > 400) return text;
  return /^(?:.*::|.* )?(\w+)(?:<.*>)?\(.*\)(?: const)?$/.exec(text)?.[1] ?? text;
}

/** A number of things. */
const numberOf = (count, thing) => `${grouped(count)} ${thing}${count === 1 ? "" : "s"}`;

/** A count and what is counted, which is named in the plural. */
const countText = (count, things) => `${grouped(count)} ${count === 1 ? things.replace("records", "record") : things}`;

const wide = (low, high) => (high ? ((BigInt(high) << 32n) | BigInt(low)).toString() : String(low));

/** Digits in groups of three. */
function grouped(number, decimals = 0) {
  const [whole, parts] = number.toFixed(decimals).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return parts ? `${digits}.${parts}` : digits;
}

/** Four digits and a unit; below a microsecond, whole nanoseconds. */
function durationText(ns) {
  const units = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
  ];
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? [1, "ns"];
  const value = ns / size;
  const digits = unit === "ns" ? (Number.isInteger(value) ? 0 : 2) : Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  return `${value.toFixed(Math.min(3, digits))}\u202f${unit}`;
}
