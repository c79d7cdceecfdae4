// The nodes of one line as a timeline; each opens to its inputs, output, logs and model calls.

function nodesView(row, run) {
  const detail = detailOf(row, run);
  if (!detail.nodes.length) return el("p.nothing", null, "No nodes were recorded for this line.");
  const span = spanOf(detail.nodes);
  const axis = el("div.axis", { "aria-hidden": "true" }, el("span", null, "0"), el("span", null, duration(span.length / 2)), el("span", null, duration(span.length)));
  const failed = detail.nodes.some((node) => node.status === "Failed");
  return el(
    "div.timeline",
    null,
    axis,
    detail.nodes.map((node) => nodeView(node, span, node.status === "Failed" || (!failed && detail.nodes.length === 1), detail.traceback)),
  );
}

/** Where the timeline begins (epoch) and how long it is, in seconds. */
function spanOf(nodes) {
  const timed = nodes.filter((node) => isNumber(node.started) && node.started > 0 && isNumber(node.took));
  if (!timed.length) return { start: 0, length: 0 };
  const start = Math.min(...timed.map((node) => node.started));
  return { start, length: Math.max(...timed.map((node) => node.started + node.took)) - start };
}

function nodeView(node, span, open, trace) {
  const tone = { Failed: "bad", Bypassed: "bypassed", Completed: "good" }[node.status] ?? "calm";
  const label = node.status === "Bypassed" ? "bypassed" : duration(node.took);
  const summary = [
    el("span.node-name", null, el("code", null, textOf(node.node)), node.cached && el("span.badge", null, "cached")),
    el("span.track", null, node.status !== "Bypassed" && bars(node, span)),
    el("span.node-took", null, label, node.usage && el("small", null, `${count(node.usage.total)} tokens`)),
    el("span.unseen", null, node.status),
  ];
  const box = lazyDetails(`node.${tone}`, summary, () => nodeBody(node, trace), open);
  box.dataset.node = textOf(node.of ?? node.node);
  return box;
}

/** Which prompts a node used: version and short hashes; the whole hashes are in the titles. */
function promptsView(uses) {
  const hash = (label, text) => text && el("span.hash", { title: `${label} ${text}` }, `${label} `, el("code", null, text.slice(0, 12)));
  return el("ul.prompts", null, uses.map((use) => el(
    "li",
    null,
    el("code", null, textOf(use.told)),
    el("span.badge", null, use.source),
    hash("rendered", use.rendered),
    hash("code", use.closure),
    hash("commit", use.commit),
  )));
}

function bars(node, span) {
  const place = (bar, started, took) => {
    if (!(span.length > 0) || !isNumber(started) || !isNumber(took)) return null;
    const left = Math.min(Math.max(((started - span.start) / span.length) * 100, 0), 100);
    bar.style.left = `${left}%`;
    bar.style.width = `${Math.min((took / span.length) * 100, 100 - left)}%`;
    return bar;
  };
  return [place(el("i"), node.started, node.took), (node.calls ?? []).map((call) => place(el("b"), call.started, call.took))];
}

function nodeBody(node, trace) {
  // The line's own failure stands at the top of the panel with the same traceback; once is enough.
  const sameTrace = trace && JSON.stringify(node.failure?.traceback) === JSON.stringify(trace);
  return el(
    "div.node-body",
    null,
    node.failure && failureView(node.failure, null, sameTrace ? null : node.failure.traceback),
    node.status === "Bypassed" && el("p.nothing", null, "This node's condition did not hold, so it did not run."),
    node.prompts && part("Prompt", promptsView(node.prompts)),
    traceView(node, node.status === "Failed"),
    node.inputs && part("Inputs", fields(node.inputs)),
    node.status !== "Bypassed" && !node.failure && part("Output", valueView(node.output), node.output),
    node.logs && entriesOf(node.logs).map(([name, text]) => part(name, el("pre.log", { tabindex: "0" }, textOf(text)), text)),
  );
}
