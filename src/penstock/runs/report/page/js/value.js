// A recorded value on screen: prose as prose, data as coloured JSON, images only from inside this file.

function valueView(value) {
  if (value === null || value === undefined) return el("span.nothing", null, "null");
  if (typeof value === "string") return textView(value);
  if (markOf(value) === "$cut") return textView(value.$cut, value);
  if (markOf(value) === "$image") return imageView(value);
  if (typeof value !== "object" || markOf(value)) return el("code.scalar", null, textOf(value));
  return jsonView(value);
}

function textView(text, cut = null) {
  if (!text && !cut) return el("span.nothing", null, "empty text");
  return folded(el("div.text", { dir: "auto" }, text, cut && el("span.cut", null, cutText(cut))), text);
}

function jsonView(value) {
  const parts = pieces(value);
  const images = parts.filter(([kind]) => kind === "image").map(([, image]) => imageView(image));
  const entries = Object.entries(value);
  if (entries.length === 1 && markOf(entries[0][1]) === "$image") return images[0];
  const code = el("pre.json", null);
  for (const [kind, text] of parts) {
    if (kind === "plain") put(code, text);
    else put(code, el(`span.${kind}`, null, kind === "image" ? imageLabel(text) : unfolded(kind, text)));
  }
  return el("div", null, images.length > 0 && el("div.images", null, images), folded(code, code.textContent));
}

/** Line breaks of a JSON string shown as line breaks; the copy button gives the JSON itself. */
const unfolded = (kind, text) => (kind === "string" && text.length > 80 ? text.replace(/\\n/g, "\n") : text);

function imageView(image) {
  const uri = imageUri(image.$image);
  if (!uri) return el("span.cut", null, imageLabel(image));
  const picture = el("img", { alt: `Image from the record, ${bytes(image.size)}`, loading: "lazy" });
  picture.src = uri;
  return el("figure", null, picture, el("figcaption", null, bytes(image.size)));
}

/** A labelled value with its copy button. */
function field(label, value, view = null) {
  return el(
    "div.field",
    null,
    el("div.field-head", null, el("span.label", null, label), copyButton(() => textOf(value), `Copy ${label}`)),
    view ?? valueView(value),
  );
}

function fields(mapping) {
  const entries = entriesOf(mapping);
  const more = mapping?.$more;
  if (!entries.length && !more) return el("p.nothing", null, "nothing");
  return el(
    "div.fields",
    null,
    entries.map(([key, value]) => field(key, value)),
    more && el("span.cut", null, moreText(more)),
  );
}

/** The letter that stands for a run wherever runs are side by side. */
function runMark(run) {
  return el("span.mark", { class: `mark tone-${run.at % 6}`, title: textOf(run.display_name ?? run.name) }, run.letter);
}

function statusMark(status, word = status) {
  const tone = { Completed: "good", Failed: "bad", Running: "busy" }[status] ?? "calm";
  return el("span", { class: `status ${tone}` }, word);
}

function failureView(failure, run, traceback) {
  return el(
    "div.failure",
    { role: "group", "aria-label": "Failure" },
    el(
      "div.failure-head",
      null,
      run && runs.length > 1 && runMark(run),
      el("strong", null, textOf(failure.kind)),
      failure.node && ["in node ", el("code", null, textOf(failure.node))],
      failure.cause && failure.cause !== failure.kind && ["from ", el("code", null, textOf(failure.cause))],
      copyButton(() => [textOf(failure.kind), textOf(failure.message), traceback && textOf(traceback)].filter(Boolean).join("\n"), "Copy the failure"),
    ),
    valueView(failure.message),
    traceback && el("pre.traceback", { tabindex: "0" }, textOf(traceback)),
  );
}
