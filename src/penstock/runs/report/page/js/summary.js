// The top of the page: what ran, how it went, its metrics side by side, and where the time went.

function renderSummary() {
  const named = report.title || "";
  const title = textOf(named) || runs.map((run) => textOf(run.display_name ?? run.name)).join(" · ");
  replace(
    byId("top"),
    el("p.brand", null, el("strong", null, "Penstock"), " run report", " · written ", when(report.written)),
    el("h1", null, title),
  );
  replace(byId("runs"), el("div.cards", null, runs.map(runCard)), leftOut());
  renderMetrics();
  renderTimings();
  byId("pair").classList.toggle("stacked", runs.length > 2);
}

function runCard(run) {
  const took = run.started && run.ended ? run.ended - run.started : null;
  const total = run.lines ?? run.completed + run.failed;
  return el(
    "article.card",
    { "aria-label": `Run ${run.letter}` },
    el(
      "div.card-head",
      null,
      runs.length > 1 && runMark(run),
      el("h2", null, textOf(run.display_name ?? run.name)),
      el("span.badges", null, run.offline && el("span.badge.offline", { title: "Every model call was answered from a script or a recording, without network" }, "OFFLINE"), statusMark(run.status)),
    ),
    textOf(run.description ?? "") && el("p.description", null, textOf(run.description)),
    run.failure && failureView(run.failure, null, run.failure.traceback),
    bar(run, total),
    el(
      "dl.stats",
      null,
      stat("Lines", count(total)),
      stat("Duration", duration(took)),
      stat("Line p50 / p95", run.timings.line.p50 === null ? "–" : `${duration(run.timings.line.p50)} / ${duration(run.timings.line.p95)}`),
      stat("Model calls", count(run.usage.calls)),
      stat("Tokens", run.usage.total ? count(run.usage.total) : "0", run.usage.total ? `${count(run.usage.prompt)} in, ${count(run.usage.completion)} out` : null),
      stat("Cost", money(run.usage.cost)),
    ),
    el("dl.facts", null, facts(run)),
    run.compared && changedView(run),
    flowPicture(run),
    run.aggregation.length > 0 && aggregationView(run.aggregation),
  );
}

/** The flow, each node with its median duration and what it consumed over all lines. */
function flowPicture(run) {
  const missing = textOf(run.picture_missing ?? "");
  if (missing) return el("p.nothing.no-picture", null, missing);
  if (!Number.isInteger(run.picture)) return null;
  const states = new Map([...runStates(run), ...nodeStates(run.aggregation)]);
  return lazyDetails("flow-picture", "Flow: median duration, tokens and cost of each node over all lines", () => pictureView(run, states, null, `Flow of run ${run.letter}`), runs.length === 1);
}

/** The nodes that ran once, over all lines. */
function aggregationView(nodes) {
  const span = spanOf(nodes);
  return el("div.timeline.aggregation", null, el("h3", null, "Aggregation"), nodes.map((node) => nodeView(node, span, node.status === "Failed")));
}

/** What is not as in the first run: data, code, prompt, model, by node. */
function changedView(run) {
  const first = runs[0];
  if (!run.changed.length) return el("p.changed", null, "Made of the same data, code, prompts and models as ", runMark(first), ".");
  return el(
    "div.changed",
    null,
    el("h3", null, "Changed against ", runMark(first)),
    el("ul", null, run.changed.map((change) => el(
      "li",
      null,
      el("b", null, change.axis),
      textOf(change.node ?? "") && [" of ", el("code", null, textOf(change.node))],
      ": ",
      el("span.was", null, textOf(change.before) || "none"),
      " → ",
      el("span.is", null, textOf(change.after) || "none"),
    ))),
  );
}

function bar(run, total) {
  const parts = [["good", run.completed, "completed"], ["bad", run.failed, "failed"], ["warn", run.unscored, "unscored"]];
  const track = el("div.bar", { "aria-hidden": "true" });
  for (const [tone, number] of parts.slice(0, 2)) {
    const part = el(`span.${tone}`);
    part.style.width = `${total ? Math.max((number / total) * 100, number ? 0.8 : 0) : 0}%`;
    track.append(part);
  }
  const legend = parts.map(([tone, number, word]) => el("span", { class: number ? tone : "none" }, el("b", null, count(number)), ` ${word}`));
  return el("div.progress", null, track, el("p.legend", null, legend));
}

function stat(label, value, hint = null) {
  return el("div", { title: hint }, el("dt", null, label), el("dd", null, value));
}

function facts(run) {
  const rows = [
    ["Name", run.display_name ? run.name : null],
    ["Flow", run.flow],
    ["Data", run.data],
    ["Runs before", run.run.length ? run.run.map(textOf).join(", ") : null],
    ["Variant", run.variant.length ? run.variant.map(textOf).join(", ") : null],
    ["Mapping", pairs(run.column_mapping, " ← ")],
    ["Prompts", (run.prompts ?? []).map((use) => `${textOf(use.node)}: ${textOf(use.told)}`).join(" · ")],
    ["Commit", run.commit],
    ["Tags", pairs(run.tags, ": ").replaceAll("\n", " · ")],
  ];
  const list = rows.filter(([, value]) => value && textOf(value)).map(([label, value]) => fact(label, textOf(value)));
  const started = when(run.started ?? run.created);
  if (started) list.splice(Math.min(list.length, 3), 0, fact("Started", started));
  return list;
}

const fact = (label, value) => el("div", null, el("dt", null, label), el("dd", null, value));
const pairs = (mapping, sign) => entriesOf(mapping).map(([key, value]) => key + (value === null ? "" : sign + textOf(value))).join("\n");

/** What the page does not show; silence would read as completeness. */
function leftOut() {
  const notes = runs.filter((run) => run.shown < run.seen).map((run) => {
    const all = run.shown_failed === run.seen_failed ? `all ${count(run.seen_failed)}` : `${count(run.shown_failed)} of ${count(run.seen_failed)}`;
    return el("li", null, runs.length > 1 && runMark(run), ` shows ${count(run.shown)} of ${plural(run.seen, "line")}: ${all} failed lines and an even sample of the others. Counts, metrics and node times cover every line.`);
  });
  if (report.cut) notes.push(el("li", null, `${plural(report.cut, "long value")} shown only in part, each marked where it was cut. The full values are in the run's records.`));
  return notes.length > 0 && el("ul.notes", null, notes);
}

function headCells(lead) {
  return el("tr", null, el("th", { scope: "col" }, lead), runs.map((run) => el("th.num", { scope: "col" }, runs.length > 1 && runMark(run), " ", el("span.run-name", null, textOf(run.display_name ?? run.name)))));
}

function renderMetrics() {
  const names = new Map();
  for (const run of runs) for (const metric of run.metrics) names.set(textOf(metric.name), true);
  if (!names.size) return;
  const rows = [...names.keys()].map((name) => {
    const own = runs.map((run) => run.metrics.find((metric) => textOf(metric.name) === name));
    return el("tr", null, el("th", { scope: "row" }, name), own.map((metric, at) => metricCell(metric, at > 0 ? own[0] : null)));
  });
  const section = byId("metrics");
  section.hidden = false;
  replace(section, el("h2", { id: "metrics-title" }, "Metrics"), el("div.wide", { tabindex: "0", role: "region", "aria-labelledby": "metrics-title" }, el("table.grid", null, el("thead", null, headCells("Metric")), el("tbody", null, rows))));
}

function metricCell(metric, first) {
  if (!metric) return el("td.num.nothing", null, "–");
  const value = isNumber(metric.value) ? figure(metric.value) : textOf(metric.value);
  const gap = first && difference(metric.value, first.value);
  return el("td.num", null, el("span.value", { title: textOf(metric.value) }, value), el("small", null, gap && el("span.gap", { title: "Difference to the first run" }, gap), metric.lines !== null && ` ${plural(metric.lines, "line")}`));
}

function renderTimings() {
  const names = new Set();
  for (const run of runs) for (const node of run.timings.nodes) names.add(textOf(node.name));
  if (!names.size) return;
  const slowest = Math.max(...runs.flatMap((run) => run.timings.nodes.map((node) => node.p95 ?? 0)), 1e-9);
  const rows = [...names].map((name) =>
    el("tr", null, el("th", { scope: "row" }, el("code", null, name)), runs.map((run) => nodeCell(run.timings.nodes.find((node) => textOf(node.name) === name), slowest))));
  const section = byId("timings");
  section.hidden = false;
  const note = el("span.aside", null, "duration p50 / p95, and what the calls consumed");
  replace(section, el("h2", { id: "timings-title" }, "Nodes ", note), el("div.wide", { tabindex: "0", role: "region", "aria-labelledby": "timings-title" }, el("table.grid", null, el("thead", null, headCells("Node")), el("tbody", null, rows))));
}

function nodeCell(node, slowest) {
  if (!node) return el("td.num.nothing", null, "–");
  const gauge = el("span.gauge", { "aria-hidden": "true" });
  const inner = el("i");
  inner.style.width = `${((node.p95 ?? 0) / slowest) * 100}%`;
  const middle = el("b");
  middle.style.width = `${((node.p50 ?? 0) / slowest) * 100}%`;
  gauge.append(inner, middle);
  const { Failed: failed = 0, Bypassed: bypassed = 0 } = node.statuses;
  const notes = [
    failed > 0 && el("span.bad", null, `${count(failed)} failed`),
    bypassed > 0 && `${count(bypassed)} bypassed`,
    node.cached > 0 && `${count(node.cached)} cached`,
    node.usage.total > 0 && `${count(node.usage.total)} tokens`,
    node.usage.calls > 0 && node.usage.cost !== 0 && money(node.usage.cost),
  ].filter(Boolean);
  const times = node.p50 === null ? "–" : `${duration(node.p50)} / ${duration(node.p95)}`;
  return el("td.num", null, el("span.value", null, times), gauge, el("small", null, notes.flatMap((note, at) => (at ? [" · ", note] : [note]))));
}
