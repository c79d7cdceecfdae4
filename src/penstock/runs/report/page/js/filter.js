// Which lines are shown, in which order; the same is kept in the address (#line=12&show=failed), so that it can be sent.

const view = { query: "", show: "all", differs: false, sort: "failures", down: false, open: null, shown: lines, terms: [] };

const SORTS = {
  failures: (line) => (line.failed ? 0 : line.rows.some((row) => row && row.status !== "Completed") ? 1 : 2),
  line: (line) => line.number,
  took: (line) => most(line, (row) => row.took),
  spent: (line) => most(line, spentOf),
};

/** The last column shows cost where any is known, tokens otherwise. */
const costKnown = lines.some((line) => line.rows.some((row) => row?.usage && row.usage.cost));
const spentOf = (row) => (costKnown ? row.usage?.cost : row.usage?.total) ?? 0;

const most = (line, read) => Math.max(...line.rows.map((row) => (row && isNumber(read(row)) ? read(row) : 0)));

const SHOWS = {
  all: () => true,
  failed: (line) => line.failed,
  completed: (line) => line.rows.every((row) => row?.status === "Completed"),
  other: (line) => !line.failed && line.rows.some((row) => row?.status !== "Completed"),
};

function applyView() {
  view.terms = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = lines.filter(
    (line) => SHOWS[view.show](line) && (!view.differs || line.differs) && view.terms.every((term) => haystack(line).includes(term)),
  );
  const key = SORTS[view.sort];
  const sign = view.down ? -1 : 1;
  const keys = new Map(kept.map((line) => [line, key(line)]));
  view.shown = kept.sort((a, b) => sign * (keys.get(a) - keys.get(b)) || a.number - b.number);
}

/** Everything the search looks at, in lower case: inputs, outputs, failures of all runs. Built when first needed. */
function haystack(line) {
  line.text ??= [`#${line.number}`, ...line.rows.filter(Boolean).flatMap(textsOf)].join("\n").toLowerCase();
  return line.text;
}

function textsOf(row) {
  const { kind, message, node, cause } = row.failure ?? {};
  return [...entriesOf(row.inputs), ...entriesOf(row.output)]
    .map(([, value]) => textOf(value))
    .concat([kind, message, node, cause].filter(Boolean).map(textOf));
}

/** `text` with the searched words marked; begins near the first of them, so that it can be seen in a short cell. */
function marked(text) {
  const at = firstTerm(text.toLowerCase());
  const from = at > 90 ? at - 30 : 0;
  const part = (from ? "…" : "") + text.slice(from, from + 400);
  if (at < 0) return [part];
  const pattern = new RegExp(`(${view.terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return part.split(pattern).map((piece, n) => (n % 2 ? el("mark", null, piece) : piece));
}

function firstTerm(text) {
  const places = view.terms.map((term) => text.indexOf(term)).filter((place) => place >= 0);
  return places.length ? Math.min(...places) : -1;
}

function readAddress() {
  const params = new URLSearchParams(location.hash.slice(1));
  view.query = params.get("q") ?? "";
  view.show = Object.hasOwn(SHOWS, params.get("show")) ? params.get("show") : "all";
  view.differs = params.has("differs") && runs.length > 1;
  const [sort, down] = (params.get("sort") ?? "").split(".");
  view.sort = Object.hasOwn(SORTS, sort) ? sort : "failures";
  view.down = down === "down";
  const line = params.get("line");
  view.open = line !== null && /^\d+$/.test(line) ? Number(line) : null;
}

function writeAddress() {
  const params = new URLSearchParams();
  if (view.open !== null) params.set("line", view.open);
  if (view.show !== "all") params.set("show", view.show);
  if (view.differs) params.set("differs", "1");
  if (view.query) params.set("q", view.query);
  if (view.sort !== "failures" || view.down) params.set("sort", view.sort + (view.down ? ".down" : ""));
  const text = params.toString();
  try {
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  } catch {
    // Some viewers show the page without an address of its own; everything but the link works there.
  }
}
