// The records, read from the JSON elements of this file. Rows are read at once, details when a line is opened.

const readJson = (id) => JSON.parse(byId(id).textContent);

const report = readJson("report");
const runs = report.runs.map((run, at) => ({ ...run, at, letter: letterOf(at) }));

/** Every line: `{ number, rows }`, one row per run or null where the run has no such line; in line order. */
const lines = readRows();

function letterOf(at) {
  const letter = String.fromCharCode(65 + (at % 26));
  return at < 26 ? letter : letter + Math.floor(at / 26);
}

function readRows() {
  const found = new Map();
  for (const script of document.querySelectorAll('script[id^="rows-"]')) {
    const [, run, chunk] = script.id.split("-").map(Number);
    JSON.parse(script.textContent).forEach((row, at) => {
      row.chunk = chunk;
      row.at = at;
      let line = found.get(row.line);
      if (!line) found.set(row.line, (line = { number: row.line, rows: new Array(runs.length).fill(null) }));
      line.rows[run] = row;
    });
    script.remove();
  }
  const all = [...found.values()].sort((a, b) => a.number - b.number);
  for (const line of all) {
    line.failed = line.rows.some((row) => row?.status === "Failed");
    line.otherPrompt = otherPrompt(line.rows);
    line.differs = line.rows.some((row) => row?.digest !== line.rows[0]?.digest);
  }
  return all;
}

/** How the prompts of a line differ between runs, as a sentence; empty where they do not. */
function otherPrompt(rows) {
  const told = rows.map((row) => row?.prompts).filter(Boolean);
  if (told.some(([template]) => template !== told[0][0])) return "The template of a prompt is not the same in all runs";
  return told.some(([, rendered]) => rendered !== told[0][1]) ? "The same template, but what was sent is not the same in all runs" : "";
}

const chunks = new Map();

/** What a line's nodes did in a run. Decodes a chunk of lines and keeps the last few. */
function detailOf(row, run) {
  const id = `details-${run.at}-${row.chunk}`;
  if (!chunks.has(id)) {
    if (chunks.size >= 6) chunks.delete(chunks.keys().next().value);
    chunks.set(id, readJson(id));
  }
  return chunks.get(id)[row.at];
}

/** The data: URI of an image in the page, or null. Only bitmaps in base64 are ever shown. */
function imageUri(id) {
  const element = typeof id === "string" && /^[0-9a-f]+$/.test(id) ? byId(`image-${id}`) : null;
  if (!element) return null;
  const uri = JSON.parse(element.textContent);
  return /^data:image\/(png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/]+={0,2}$/.test(uri) ? uri : null;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Which mark of the report's writer a value is: "$cut", "$number", "$image", "$more", or null for data. */
function markOf(value) {
  if (!isObject(value)) return null;
  const mark = ["$cut", "$number", "$image", "$more"].find((own) => Object.hasOwn(value, own)) ?? null;
  return mark === "$more" && Object.keys(value).length > 1 ? null : mark; // a mapping of which a part is here
}

/** A key as the record has it (the writer puts a second "$" before keys that begin with one). */
const keyOf = (key) => (key.startsWith("$$") ? key.slice(1) : key);

/** The entries of a mapping as the record has them; left-out ones are not among them. */
const entriesOf = (mapping) =>
  Object.entries(mapping ?? {}).filter(([key]) => key !== "$more").map(([key, value]) => [keyOf(key), value]);

/**
 * A value as a flat list of `[kind, text]` pieces: what is rendered, searched, compared and copied.
 * Kinds: "plain", "key", "string", "number", "cut", "image" (its text is the id).
 */
function pieces(value, indent = "", out = []) {
  const mark = markOf(value);
  if (mark === "$cut") return cutPieces(value, out);
  if (mark === "$number") return out.push(["number", value.$number]), out;
  if (mark === "$image") return out.push(["image", value]), out;
  if (mark === "$more") return out.push(["cut", moreText(value.$more)]), out;
  if (Array.isArray(value)) return listPieces(value.map((item) => [null, item]), "[]", indent, out);
  if (isObject(value)) return listPieces(Object.entries(value), "{}", indent, out);
  out.push(typeof value === "string" ? ["string", JSON.stringify(value)] : ["number", String(value)]);
  return out;
}

function cutPieces(value, out) {
  if (value.$cut) out.push(["string", JSON.stringify(value.$cut)]);
  out.push(["cut", cutText(value)]);
  return out;
}

const moreText = (number) => `… ${plural(number, "more item")}, left out`;

function cutText(value) {
  if (value.kind) return "… nested too deeply, left out";
  return value.$cut
    ? `… cut: ${count(value.$cut.length)} of ${count(value.of)} characters`
    : `… left out: ${plural(value.of, "character")}`;
}

function listPieces(entries, brackets, indent, out) {
  if (!entries.length) return out.push(["plain", brackets]), out;
  // What fits on a line stays on a line.
  const short = JSON.stringify(entries).length - entries.length * 4 + indent.length <= 84;
  const inner = short ? "" : `${indent}  `;
  out.push(["plain", brackets[0]]);
  entries.forEach(([key, item], at) => {
    out.push(["plain", short ? (at ? ", " : "") : `${at ? "," : ""}\n${inner}`]);
    const more = key === "$more" ? item : key === null && markOf(item) === "$more" ? item.$more : null;
    if (more !== null) return out.push(["cut", moreText(more)]);
    if (key !== null) out.push(["key", JSON.stringify(keyOf(key))], ["plain", ": "]);
    return pieces(item, inner, out);
  });
  out.push(["plain", short ? brackets[1] : `\n${indent}${brackets[1]}`]);
  return out;
}

/** A value as text: strings as they are, everything else as JSON. */
function textOf(value) {
  if (typeof value === "string") return value;
  if (markOf(value) === "$cut") return value.$cut + (value.$cut ? " " : "") + cutText(value);
  return pieces(value).map(([kind, text]) => (kind === "image" ? imageLabel(text) : text)).join("");
}

const imageLabel = (image) => `[image, ${bytes(image.size)}${image.$image === null ? ", too large for this page" : ""}]`;
