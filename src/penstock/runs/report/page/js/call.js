// One request to a model: the exact messages that were sent, the parameters, the answer.

function callView(call) {
  const stats = [
    duration(call.took),
    call.usage.total > 0 && `${count(call.usage.prompt)} → ${count(call.usage.completion)} tokens`,
    call.usage.cost !== 0 && money(call.usage.cost),
    call.attempts > 1 && plural(call.attempts, "attempt"),
  ].filter(Boolean);
  return el(
    "section.call",
    { "aria-label": `Model call, ${textOf(call.model)}` },
    el(
      "div.call-head",
      null,
      el("strong", null, textOf(call.model) || "model"),
      el("span.api", null, textOf(call.api)),
      call.offline && el("span.badge.offline", null, "OFFLINE"),
      el("span.aside", null, stats.join(" · ")),
    ),
    sentView(call.sent),
    call.error && part("Error", el("div.failure", null, valueView(call.error)), call.error),
    answerView(call.response),
    paramsView(call.params),
  );
}

function part(label, content, value = null) {
  return el("div.part", null, el("div.field-head", null, el("span.label", null, label), value !== null && copyButton(() => textOf(value), `Copy ${label}`)), content);
}

/** What went to the model: chat messages as blocks by role, a prompt or an input as text. */
function sentView(sent) {
  const names = { messages: "Prompt sent", prompt: "Prompt sent", input: "Input sent" };
  return entriesOf(sent).map(([name, value]) =>
    part(names[name] ?? name, Array.isArray(value) && value.some(isMessage) ? value.map(messageView) : valueView(value), value));
}

const isMessage = (value) => isObject(value) && typeof value.role === "string";

function messageView(message) {
  if (!isMessage(message)) return valueView(message);
  const { role, content, ...rest } = message;
  const others = entriesOf(rest).filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length));
  const tone = ["system", "developer", "user", "assistant", "tool"].includes(role) ? role : "other";
  return el(
    "div",
    { class: `message ${tone}` },
    el("div.role", null, role),
    el(
      "div.said",
      null,
      content !== null && content !== undefined && contentView(content),
      others.map(([name, value]) => el("div.extra", null, el("span.label", null, name), valueView(value))),
    ),
  );
}

function contentView(content) {
  return Array.isArray(content) && content.every(isObject) ? content.map(contentPart) : valueView(content);
}

function contentPart(item) {
  if (item.text !== undefined && ["text", "input_text", "output_text"].includes(item.type)) return valueView(item.text);
  const image = item.image_url?.url ?? item.image_url;
  if (image !== undefined && image !== null) {
    return markOf(image) === "$image" ? imageView(image) : el("div.link", { title: "Not loaded: this page opens no addresses" }, el("span.label", null, "image at"), " ", textOf(image));
  }
  return valueView(item);
}

function answerView(response) {
  if (response === null || response === undefined) return null;
  const messages = answersOf(response);
  if (!messages.length) return part("Answer", valueView(response), response);
  const raw = lazyDetails("raw", "Answer as JSON", () => valueView(response));
  const only = messages.length === 1 && typeof messages[0].content === "string" ? messages[0].content : messages;
  return [part("Answer", messages.map(messageView), only), raw];
}

/** The messages in an OpenAI-shaped answer; none where it has another shape. */
function answersOf(response) {
  const choices = Array.isArray(response.choices) ? response.choices.filter(isObject) : [];
  const chat = choices.map((choice) => choice.message).filter(isObject);
  if (chat.length) return chat.map((message) => ({ role: "assistant", ...message }));
  const texts = choices.map((choice) => choice.text).filter((text) => text !== undefined);
  if (texts.length) return texts.map((content) => ({ role: "assistant", content }));
  const items = Array.isArray(response.output) ? response.output.filter(isMessage) : [];
  return items.map(({ role, content }) => ({ role, content }));
}

function paramsView(params) {
  const entries = entriesOf(params);
  if (!entries.length) return null;
  const short = ([, value]) => value === null || typeof value !== "object" || markOf(value);
  const chips = entries.filter((entry) => short(entry) && textOf(entry[1]).length <= 60);
  const long = entries.filter((entry) => !chips.includes(entry));
  return part(
    "Parameters",
    [
      chips.length > 0 && el("ul.chips", null, chips.map(([key, value]) => el("li", null, el("span", null, key), " ", el("code", null, textOf(value))))),
      long.map(([key, value]) => lazyDetails("raw", key, () => valueView(value))),
    ],
    params,
  );
}
