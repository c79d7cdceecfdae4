// What happened inside a node: traced functions and model calls as a tree, each under the one that made it.

/** The spans and calls of a node as trees; calls that no span made stand at the top. */
function traceTrees(node) {
  const spans = new Map((node.spans ?? []).map((span) => [span.id, { span, inner: [] }]));
  const top = [];
  for (const own of spans.values()) (spans.get(own.span.parent) ?? { inner: top }).inner.push(own);
  for (const call of node.calls ?? []) (spans.get(call.span) ?? { inner: top }).inner.push({ call, inner: [] });
  // Spans in a circle hang on nothing; a record that says so is shown flat rather than not at all.
  const shown = new Set();
  const mark = (own) => { if (shown.has(own)) return; shown.add(own); own.inner.forEach(mark); };
  top.forEach(mark);
  for (const own of spans.values()) if (!shown.has(own)) { own.inner = own.inner.filter((item) => item.call); top.push(own); mark(own); }
  const sort = (list) => list.sort((a, b) => begin(a) - begin(b)).forEach((own) => sort(own.inner));
  sort(top);
  return top;
}

const begin = (own) => (own.span ?? own.call).started || 0;

function traceView(node, open) {
  const trees = traceTrees(node);
  if (!trees.length) return null;
  const calls = (node.calls ?? []).length;
  if (!(node.spans ?? []).length) return part(plural(calls, "model call"), trees.map((own) => callView(own.call)));
  const label = [plural(node.spans.length, "traced call"), calls && plural(calls, "model call")].filter(Boolean).join(", ");
  return part(label, el("ul.trace", null, trees.map((own) => branch(own, open || trees.length === 1))));
}

function branch(own, open) {
  return el("li", null, own.call ? callView(own.call) : spanView(own, open));
}

function spanView(own, open) {
  const { span } = own;
  const used = usageBelow(own);
  const notes = [duration(span.took), used.calls > 0 && plural(used.calls, "model call"), used.tokens > 0 && `${count(used.tokens)} tokens`];
  const summary = [
    el("span.span-name", null, el("code", null, textOf(span.name)), el("span.api", null, textOf(span.type)), span.error && el("span.status.bad", null, "failed")),
    el("span.aside", null, notes.filter(Boolean).join(" · ")),
  ];
  return lazyDetails(span.error ? "span.bad" : "span", summary, () => el(
    "div.span-body",
    null,
    span.error && part("Error", el("div.failure", null, valueView(span.error)), span.error),
    own.inner.length > 0 && el("ul.trace", null, own.inner.map((inner) => branch(inner, false))),
    span.inputs && part("Inputs", fields(span.inputs)),
    !span.error && part("Output", valueView(span.output), span.output),
  ), Boolean(open || span.error));
}

function usageBelow(own) {
  const total = { calls: 0, tokens: 0 };
  for (const inner of own.inner) {
    const below = inner.call ? { calls: 1, tokens: inner.call.usage.total || 0 } : usageBelow(inner);
    total.calls += below.calls;
    total.tokens += below.tokens;
  }
  return total;
}
