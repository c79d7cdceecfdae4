// The page's only way to put things on screen. Text from records becomes text nodes; nothing parses markup.

/** Creates `name.class.class` with attributes, `on…` listeners and children; text children are made visible first. */
function el(tag, options, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(options ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  put(node, children);
  return node;
}

/** Appends nodes and texts; skips what is null, undefined or false. */
function put(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : visible(String(child)));
  }
}

function replace(node, ...children) {
  node.replaceChildren();
  put(node, children);
}

const byId = (id) => document.getElementById(id);

/** Control characters and direction marks as signs that can be seen: nothing in an answer hides or turns around text. */
function visible(text) {
  return text
    .replace(/\r\n/g, "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, (c) => `‹U+${hex(c)}›`);
}

const hex = (c) => c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");

function say(text) {
  byId("said").textContent = text;
}

/** A button that copies what `read` returns: the text as it was recorded, not as it is shown. */
function copyButton(read, label = "Copy", word = "Copy") {
  const button = el("button.quiet.copy", { type: "button", title: label }, word);
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const done = await copy(read());
    button.textContent = done ? "Copied" : "Not copied";
    say(button.textContent);
    setTimeout(() => { button.textContent = word; }, 1200);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers that keep the clipboard from files on disk still take the selection of a text area.
    const area = el("textarea.unseen");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Long content folded to a few lines, with a button that shows all of it. */
function folded(node, text) {
  if (text.length < 1400 && text.split("\n", 26).length < 26) return node;
  const button = el("button.quiet.more", { type: "button", "aria-expanded": "false" }, "Show all");
  const box = el("div.fold", null, el("div.fold-body", null, node), button);
  button.addEventListener("click", () => {
    const open = box.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Show less" : "Show all";
  });
  return box;
}

/** `<details>` whose content is built when it is first opened. */
function lazyDetails(className, summary, build, open = false) {
  const box = el(`details.${className}`, null, el("summary", null, summary));
  const fill = () => {
    if (!box.open || box.dataset.filled) return;
    box.dataset.filled = "yes";
    put(box, build());
  };
  box.addEventListener("toggle", fill);
  box.open = open;
  fill();
  return box;
}
