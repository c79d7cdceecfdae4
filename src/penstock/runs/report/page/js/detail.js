// The panel of one line: failure first, then inputs, outputs side by side with their difference, then the nodes.

const panel = { diff: true, run: null, from: null };

function openLine(number) {
  const line = lines.find((own) => own.number === number);
  const at = view.shown.indexOf(line);
  const box = byId("detail");
  if (box.hidden) panel.from = document.activeElement;
  view.open = number;
  writeAddress();
  if (at >= 0) moveTo(at);
  box.hidden = false;
  document.body.classList.add("has-panel");
  replace(box, line ? lineView(line, at) : missing(number));
  box.scrollTop = 0;
  box.focus({ preventScroll: true });
  markCurrent();
}

function closeLine() {
  const box = byId("detail");
  if (box.hidden) return;
  box.hidden = true;
  document.body.classList.remove("has-panel");
  view.open = null;
  writeAddress();
  markCurrent();
  const row = table.rows.get(table.current)?.querySelector("a");
  (row ?? panel.from ?? table.scroller).focus({ preventScroll: true });
}

function step(by) {
  const at = view.shown.findIndex((line) => line.number === view.open);
  const next = view.shown[at < 0 ? 0 : at + by];
  if (next) openLine(next.number);
}

function missing(number) {
  return [panelHead(`Line ${number}`, -1), el("div.panel-body", null, el("p.nothing", null, "This page does not show that line: the runs do not have it, or it was left out."))];
}

function panelHead(title, at, marks = null) {
  const button = (label, sign, action, off = false) => el("button.icon", { type: "button", "aria-label": label, title: label, onclick: action, disabled: off }, sign);
  const where = at >= 0 ? `${count(at + 1)} of ${count(view.shown.length)}` : "";
  return el(
    "div.panel-head",
    null,
    el("h2", { id: "detail-title" }, title),
    el("div.marks", null, marks),
    el("span.aside", null, where),
    button("Line before (k)", "↑", () => step(-1), at <= 0),
    button("Next line (j)", "↓", () => step(1), at < 0 || at + 1 >= view.shown.length),
    copyButton(() => location.href, "Copy a link to this line", "Copy link"),
    button("Close (Esc)", "✕", closeLine),
  );
}

function lineView(line, at) {
  const own = runs.filter((run) => line.rows[run.at]);
  const marks = own.map((run) => el("span.run-state", null, runs.length > 1 && runMark(run), statusMark(line.rows[run.at].status)));
  return [
    panelHead(`Line ${line.number}`, at, marks),
    el("div.panel-body", null, factsLine(line, own), failures(line, own), inputsView(line, own), outputsView(line, own), nodeTabs(line, own)),
  ];
}

function factsLine(line, own) {
  const list = own.map((run) => {
    const row = line.rows[run.at];
    const parts = [
      duration(row.took),
      row.usage && plural(row.usage.calls, "model call"),
      row.usage && `${count(row.usage.prompt)} → ${count(row.usage.completion)} tokens`,
      row.usage && row.usage.cost !== 0 && money(row.usage.cost),
      row.attempts && plural(row.attempts, "attempt"),
    ].filter(Boolean);
    return el("li", null, runs.length > 1 && runMark(run), " ", parts.join(" · "), when(detailOf(row, run).started) && [" · ", when(detailOf(row, run).started)]);
  });
  return el("ul.line-facts", null, list);
}

function failures(line, own) {
  return own.filter((run) => line.rows[run.at].failure).map((run) => failureView(line.rows[run.at].failure, run, detailOf(line.rows[run.at], run).traceback));
}

function block(title, ...children) {
  return el("section.block", null, el("h3", null, title), children);
}

function inputsView(line, own) {
  const groups = new Map();
  for (const run of own) {
    const text = JSON.stringify(line.rows[run.at].inputs);
    groups.set(text, [...(groups.get(text) ?? []), run]);
  }
  return [...groups.values()].map((group) => {
    const row = line.rows[group[0].at];
    const title = [row.refused ? "Inputs, refused " : "Inputs ", groups.size > 1 && group.map(runMark)];
    return block(title, row.inputs ? fields(row.inputs) : el("p.nothing", null, "No inputs were recorded."));
  });
}

function outputsView(line, own) {
  const keys = [...new Set(own.flatMap((run) => entriesOf(line.rows[run.at].output).map(([key]) => key)))];
  if (!keys.length) return null;
  const values = new Map(own.map((run) => [run, new Map(entriesOf(line.rows[run.at].output))]));
  const first = own[0];
  const toggle = own.length > 1 && line.differs && el("button.toggle", { type: "button", "aria-pressed": String(panel.diff), title: "Show or hide the difference to the first run (d)", onclick: () => toggleDiff() }, "Word diff");
  const rows = keys.map((key) => el("div.compare", null, own.length > 1 && el("div.label", null, key), compared(key, own, values, first, (run) => line.rows[run.at].failure)));
  return el("section.block", null, el("div.block-head", null, el("h3", null, "Outputs"), toggle), rows);
}

function compared(key, own, values, first, failed) {
  const grid = el("div.columns", null, own.map((run) => {
    if (!values.get(run).has(key)) return el("div.field", null, el("div.field-head", null, runMark(run)), el("span.nothing", null, failed(run) ? "failed" : "no such output"));
    const value = values.get(run).get(key);
    if (own.length === 1) return field(key, value);
    const base = values.get(first).get(key);
    const comparable = panel.diff && run !== first && base !== undefined && textOf(base) !== textOf(value);
    const body = comparable ? diffView(textOf(base), textOf(value)) : valueView(value);
    const same = run !== first && base !== undefined && textOf(base) === textOf(value);
    return el("div.field", null, el("div.field-head", null, runMark(run), same && el("span.aside", null, `same as ${first.letter}`), copyButton(() => textOf(value), `Copy ${key} of run ${run.letter}`)), body);
  }));
  grid.style.setProperty("--columns", String(Math.min(own.length, 3)));
  return grid;
}

function toggleDiff() {
  if (view.open === null) return;
  panel.diff = !panel.diff;
  const scrolled = byId("detail").scrollTop;
  openLine(view.open);
  byId("detail").scrollTop = scrolled;
}

function nodeTabs(line, own) {
  if (!own.length) return null;
  const body = el("div", { id: "nodes-panel" });
  const chosen = own.find((run) => run.at === panel.run) ?? own.find((run) => line.rows[run.at].failure) ?? own[0];
  const tabs = own.map((run) => el("button.tab", { type: "button", "aria-controls": "nodes-panel", onclick: () => select(run, true) }, runMark(run), el("span.run-name", null, textOf(run.display_name ?? run.name))));
  const select = (run, remember) => {
    if (remember) panel.run = run.at;
    tabs.forEach((tab, n) => tab.setAttribute("aria-pressed", String(own[n] === run)));
    const row = line.rows[run.at];
    const states = nodeStates(detailOf(row, run).nodes);
    replace(body, pictureView(run, states, (name) => showNode(body, name), `Path of line ${line.number} through the flow`), nodesView(row, run));
  };
  select(chosen, false);
  return el("section.block", null, el("div.block-head", null, el("h3", null, "Nodes"), own.length > 1 && el("div.tabs", { role: "group", "aria-label": "Nodes of run" }, tabs)), body);
}
