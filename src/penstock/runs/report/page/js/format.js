// Numbers, durations, money and dates as a reader wants them. Units: seconds, US dollars.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

function duration(seconds) {
  if (!isNumber(seconds)) return "–";
  if (seconds < 0.001) return seconds > 0 ? `${(seconds * 1000).toFixed(2)} ms` : "0 ms";
  if (seconds < 0.0995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(0)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const count = (value) => (isNumber(value) ? whole.format(value) : "–");

function money(dollars) {
  if (dollars === null) return "unknown";
  if (!isNumber(dollars)) return "–";
  if (dollars === 0) return "$0";
  if (Math.abs(dollars) >= 0.995) return `$${dollars.toFixed(2)}`;
  return `$${trimmed(dollars.toFixed(Math.min(12, 1 - Math.floor(Math.log10(Math.abs(dollars))))))}`;
}

/** A metric's number: integers as they are, fractions to four significant digits. */
function figure(value) {
  if (!isNumber(value)) return "–";
  if (Number.isInteger(value)) return Math.abs(value) < 1e15 ? whole.format(value) : String(value);
  const size = Math.abs(value);
  if (size >= 1e9 || size < 1e-4) return value.toExponential(3);
  return trimmed(value.toFixed(size >= 1000 ? 1 : size >= 1 ? 3 : 4));
}

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** How `value` differs from `first`: "+0.04 (+5.1 %)"; null where there is no difference to speak of. */
function difference(value, first) {
  if (!isNumber(value) || !isNumber(first)) return null;
  const gap = value - first;
  if (Math.abs(gap) <= 1e-12 * Math.max(Math.abs(value), Math.abs(first))) return "±0";
  const sign = gap > 0 ? "+" : "−";
  const part = first === 0 ? "" : ` (${sign}${Math.abs((gap / first) * 100).toFixed(1)} %)`;
  return `${sign}${figure(Math.abs(gap))}${part}`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function when(epoch) {
  if (!isNumber(epoch) || epoch <= 0 || epoch > 8e12) return null;
  const date = new Date(epoch * 1000);
  return el("time", { datetime: date.toISOString(), title: date.toISOString() }, clock.format(date));
}

function bytes(size) {
  if (size < 1024) return `${size} bytes`;
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(0)} KB` : `${(size / 1024 / 1024).toFixed(1)} MB`;
}

const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
