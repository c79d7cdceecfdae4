// The table of lines. Only the rows in sight (and a few around them) are in the document, however long the run.

const table = { scroller: null, body: null, counter: null, rows: new Map(), buttons: {}, current: -1, height: 0, range: [0, 0] };
const narrow = matchMedia("(max-width: 720px)");
const AROUND = 8;

function renderTable() {
  const section = byId("lines");
  section.hidden = false;
  table.counter = el("span.aside", { role: "status" });
  table.body = el("tbody", { role: "rowgroup" });
  const grid = el("table.lines", { role: "table", "aria-label": "Lines" }, columns(), el("thead", { role: "rowgroup" }, heads()), table.body);
  table.scroller = el("div.scroller", { tabindex: "0", role: "region", "aria-label": "Lines; j and k move, Enter opens" }, grid);
  grid.style.setProperty("--least", `${420 + runs.length * 240}px`);
  replace(section, el("div.section-head", null, el("h2", { id: "lines-title" }, "Lines"), table.counter), toolbar(), table.scroller);
  table.scroller.addEventListener("scroll", () => drawRows(), { passive: true });
  new ResizeObserver(() => drawRows()).observe(table.scroller);
  narrow.addEventListener("change", refresh);
  refresh();
}

function toolbar() {
  const search = el("input", { type: "search", id: "search", placeholder: "Search inputs, outputs, errors", "aria-label": "Search inputs, outputs and errors", autocomplete: "off", spellcheck: "false" });
  search.value = view.query;
  search.addEventListener("input", () => change({ query: search.value }));
  const counts = Object.keys(SHOWS).map((show) => [show, lines.filter(SHOWS[show]).length]);
  const choices = counts.filter(([show, number]) => show === "all" || number > 0 || (show === "failed" && lines.length)).map(([show, number]) => {
    const button = el("button", { type: "button", onclick: () => change({ show }) }, `${show[0].toUpperCase()}${show.slice(1)} `, el("span.number", null, count(number)));
    table.buttons[show] = button;
    return button;
  });
  const differing = lines.filter((line) => line.differs).length;
  if (runs.length > 1) {
    table.buttons.differs = el("button.toggle", { type: "button", onclick: () => change({ differs: !view.differs }) }, "≠ Differs between runs ", el("span.number", null, count(differing)));
  }
  const keys = el("p.keys", { "aria-hidden": "true" }, [["j", "k"], " move ", ["↵"], " open ", ["esc"], " close ", ["/"], " search"].map((part) => (Array.isArray(part) ? part.map((key) => el("kbd", null, key)) : part)));
  return el("div.toolbar", { role: "search" }, search, el("div.choices", { role: "group", "aria-label": "Show lines" }, choices), table.buttons.differs, keys);
}

function columns() {
  const widths = ["line", "state", "inputs", ...runs.map(() => "output"), "took", "spent"];
  return el("colgroup", null, widths.map((name) => el("col", { class: name })));
}

function heads() {
  const sortable = (name, label, className) => {
    const button = el("button", { type: "button", onclick: () => sortBy(name) }, label, el("span.arrow", { "aria-hidden": "true" }));
    table.buttons[`sort-${name}`] = el("th", { role: "columnheader", scope: "col", class: className }, button);
    return table.buttons[`sort-${name}`];
  };
  const outputs = runs.map((run) => el("th.output", { role: "columnheader", scope: "col" }, runs.length > 1 ? [runMark(run), " ", el("span.run-name", null, textOf(run.display_name ?? run.name))] : "Outputs"));
  return el("tr", { role: "row" }, sortable("line", "Line", "num"), sortable("failures", "Status"), el("th", { role: "columnheader", scope: "col" }, "Inputs"), outputs, sortable("took", "Duration", "num"), sortable("spent", costKnown ? "Cost" : "Tokens", "num"));
}

function sortBy(name) {
  const again = view.sort === name;
  change({ sort: name, down: again ? !view.down : name === "took" || name === "spent" });
}

/** Takes a change of filter or order, keeps the line that was current where it is still shown. */
function change(part) {
  const current = view.shown[table.current];
  Object.assign(view, part);
  writeAddress();
  refresh();
  const place = part.sort ? -1 : view.shown.indexOf(current);
  table.current = place;
  table.scroller.scrollTop = place > 0 ? table.scroller.scrollTop : 0;
  drawRows();
}

function refresh() {
  applyView();
  table.height = narrow.matches ? 92 + runs.length * 46 : Math.max(62, 22 + runs.length * 21);
  table.scroller.style.setProperty("--row", `${table.height}px`);
  table.counter.textContent = view.shown.length === lines.length ? plural(lines.length, "line") : `${count(view.shown.length)} of ${plural(lines.length, "line")}`;
  for (const show of [...Object.keys(SHOWS)]) table.buttons[show]?.setAttribute("aria-pressed", String(view.show === show));
  table.buttons.differs?.setAttribute("aria-pressed", String(view.differs));
  for (const sort of Object.keys(SORTS)) {
    table.buttons[`sort-${sort}`].setAttribute("aria-sort", view.sort !== sort ? "none" : view.down ? "descending" : "ascending");
  }
  table.rows.clear();
  table.range = [0, 0];
  drawRows(true);
}

/** Puts the rows in sight into the document; `all` shows so many from the first on (for printing). */
function drawRows(force = false, all = 0) {
  const { scroller, height } = table;
  const total = view.shown.length;
  const first = all ? 0 : Math.max(0, Math.floor(scroller.scrollTop / height) - AROUND);
  const last = Math.min(total, all || Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + AROUND);
  if (!force && !all && first === table.range[0] && last === table.range[1]) return markCurrent();
  table.range = [first, last];
  const rows = new Map();
  for (let at = first; at < last; at += 1) rows.set(at, table.rows.get(at) ?? lineRow(view.shown[at], at));
  table.rows = rows;
  const empty = total === 0 && el("tr.empty", { role: "row" }, el("td", { role: "cell", colspan: 5 + runs.length }, lines.length ? "No line matches." : "No lines were recorded."));
  replace(table.body, spacer(first * height), [...rows.values()], empty, spacer((total - last) * height));
  table.body.parentElement.setAttribute("aria-rowcount", String(total + 1));
  markCurrent();
}

function spacer(height) {
  if (height <= 0) return null;
  const cell = el("td", { colspan: 5 + runs.length });
  cell.style.height = `${height}px`;
  return el("tr.spacer", { "aria-hidden": "true" }, cell);
}

function markCurrent() {
  for (const [at, row] of table.rows) {
    row.classList.toggle("current", at === table.current);
    row.classList.toggle("opened", view.shown[at].number === view.open);
  }
}

function lineRow(line, at) {
  const cell = (className, ...children) => el("td", { role: "cell", class: className }, children);
  const rows = line.rows;
  const link = el("a", { href: `#line=${line.number}`, "aria-label": `Open line ${line.number}` }, line.number);
  const row = el(
    "tr", { role: "row", "aria-rowindex": at + 2, class: line.failed ? "failed" : "" },
    cell("num line", link),
    cell("state", rows.map((own, n) => stateMark(own, runs[n]))),
    cell("inputs", preview((rows.find((own) => own?.inputs) ?? {}).inputs), line.otherPrompt && el("span.badge.prompt", { title: line.otherPrompt }, "other prompt")),
    rows.map((own, n) => cell(n > 0 && own?.digest !== rows[0]?.digest ? "output differs" : "output", runs.length > 1 && el("span.only-narrow", null, runMark(runs[n])), outcome(own))),
    cell("num took", rows.map((own) => el("div", null, own ? duration(own.took) : "–"))),
    cell("num spent", rows.map((own) => el("div", null, own?.usage ? (costKnown ? money(own.usage.cost) : count(own.usage.total)) : "–"))),
  );
  row.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || String(getSelection())) return;
    event.preventDefault();
    table.current = at;
    openLine(line.number);
  });
  return row;
}

function stateMark(row, run) {
  const word = row ? row.status : "Not run";
  const name = runs.length > 1 ? `Run ${run.letter}: ` : "";
  const [tone, sign] = { Completed: ["good", "✓"], Failed: ["bad", "✕"] }[word] ?? ["calm", "–"];
  return el("div", { class: `state-mark ${tone}`, title: `${name}${word}` }, el("span", { "aria-hidden": "true" }, sign), runs.length > 1 ? el("b", null, run.letter) : word, runs.length > 1 && el("span.unseen", null, ` ${word}`));
}

function outcome(row) {
  if (!row) return el("div.preview.nothing", null, "no such line in this run");
  if (row.failure) return el("div.preview", null, el("strong.bad", null, marked(oneLine(row.failure.kind))), " ", marked(oneLine(row.failure.message ?? "")));
  return preview(row.output);
}

/** A mapping in two lines: the values, with their names where there are several. */
function preview(mapping) {
  const entries = entriesOf(mapping);
  if (!entries.length) return el("div.preview.nothing", null, mapping ? "nothing" : "–");
  const shown = entries.slice(0, 12).map(([key, value]) => [entries.length > 1 && el("span.key-name", null, key), marked(oneLine(value)), " "]);
  return el("div.preview", { dir: "auto" }, shown);
}

const oneLine = (value) => textOf(value).slice(0, 20000).replace(/\s+/g, " ");

/** Moves the current row and keeps it in sight. */
function moveTo(at) {
  if (!view.shown.length) return;
  table.current = Math.min(Math.max(at, 0), view.shown.length - 1);
  const { scroller, height } = table;
  const head = narrow.matches ? 0 : scroller.querySelector("thead").offsetHeight;
  const top = table.current * height;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + height + head > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height + head - scroller.clientHeight;
  drawRows();
  markCurrent();
}
