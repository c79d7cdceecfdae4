// The picture of a run's flow: what the nodes took over the whole run, or the path of one line through it.

/** A copy of the run's picture, or null; it was drawn when the page was written and stands in a <template>. */
function drawing(run) {
  const template = Number.isInteger(run.picture) ? byId(`picture-${run.picture}`) : null;
  return template?.content.querySelector("svg")?.cloneNode(true) ?? null;
}

/** What one node did in one line; a node that ran for several items is summed up. */
function nodeStates(nodes) {
  const found = new Map();
  for (const node of nodes) {
    const name = textOf(node.of ?? node.node);
    found.set(name, [...(found.get(name) ?? []), node]);
  }
  return new Map([...found].map(([name, own]) => [name, nodeState(own)]));
}

function nodeState(own) {
  const status = ["Failed", "Canceled", "Running", "Completed"].find((word) => own.some((node) => node.status === word)) ?? own[0].status;
  const sum = (read) => own.reduce((total, node) => total + (read(node) ?? 0), 0);
  const cost = own.some((node) => node.usage?.cost === null) ? null : sum((node) => node.usage?.cost);
  const said = [
    status !== "Completed" && status.toLowerCase(),
    own.length > 1 && `${count(own.length)} ×`,
    status !== "Bypassed" && duration(sum((node) => (isNumber(node.took) ? node.took : 0))),
    own.some((node) => node.cached) && "cached",
    sum((node) => node.usage?.total) > 0 && `${count(sum((node) => node.usage?.total))} tokens`,
    own.some((node) => node.usage) && cost !== 0 && money(cost),
  ];
  return { status, text: said.filter(Boolean).join(" · ") };
}

/** What each node did over all lines of a run. */
function runStates(run) {
  return new Map(run.timings.nodes.map((node) => {
    const { Failed: failed = 0, Bypassed: bypassed = 0, Completed: completed = 0 } = node.statuses;
    const said = [
      failed > 0 && `${count(failed)} failed`,
      node.p50 !== null && duration(node.p50),
      node.usage.total > 0 && `${count(node.usage.total)} tokens`,
      node.usage.calls > 0 && node.usage.cost !== 0 && money(node.usage.cost),
      !completed && !failed && bypassed > 0 && "bypassed",
    ];
    return [textOf(node.name), { status: failed ? "Failed" : completed ? "Completed" : bypassed ? "Bypassed" : "", text: said.filter(Boolean).join(" · ") }];
  }));
}

/** The picture with the states of its nodes on it; `open` is called with the name of a node that was chosen. */
function pictureView(run, states, open, label) {
  const svg = drawing(run);
  if (!svg) return null;
  const reached = new Set();
  for (const group of svg.querySelectorAll("g[data-node]")) {
    const state = states.get(group.dataset.node);
    group.classList.add(state?.status ? `fl-${state.status}` : "fl-idle");
    if (state && ["Completed", "Failed", "Running"].includes(state.status)) reached.add(`node:${group.dataset.node}`);
    const stat = group.querySelector(".fl-stat");
    if (stat) stat.textContent = state?.text ?? "did not run";
    if (open && state) makeButton(group, state, open);
  }
  for (const line of svg.querySelectorAll("g[data-from]")) {
    const from = line.dataset.from, to = line.dataset.to;
    const taken = (from.startsWith("input:") || reached.has(from)) && (to.startsWith("output:") || reached.has(to));
    line.classList.add(taken ? "fl-taken" : "fl-not");
  }
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", label);
  const box = el("div.picture", { tabindex: "0", role: "region", "aria-label": label }, svg);
  requestAnimationFrame(() => lookAt(box, svg));
  return el("div.picture-box", null, fitButton(box, svg), box);
}

function makeButton(group, state, open) {
  const name = group.dataset.node;
  group.setAttribute("tabindex", "0");
  group.setAttribute("role", "button");
  group.setAttribute("aria-label", `${name}: ${state.text || state.status}`);
  group.addEventListener("click", () => open(name));
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    open(name);
  });
}

/** Scrolls a large picture to where something failed, else to the middle of its top. */
function lookAt(box, svg) {
  const target = svg.querySelector(".fl-Failed .fl-box, .fl-Canceled .fl-box");
  const own = box.getBoundingClientRect(), place = target?.getBoundingClientRect();
  box.scrollLeft = place ? place.x - own.x + (place.width - own.width) / 2 : (box.scrollWidth - box.clientWidth) / 2;
  if (place) box.scrollTop = place.y - own.y + (place.height - own.height) / 2;
}

/** Large pictures are scrolled, or made as small as their box is wide. */
function fitButton(box, svg) {
  const wide = Number(svg.getAttribute("width"));
  const room = Math.min(innerWidth, 900) - 60;
  if (!(wide > room)) return null;
  const button = el("button.quiet.fit", { type: "button" });
  const fit = (on) => {
    box.classList.toggle("fitted", on);
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Full size" : "Fit to width";
  };
  button.addEventListener("click", () => fit(!box.classList.contains("fitted")));
  fit(wide < room * 2);
  return button;
}

/** Opens a node's record in the list below the picture and goes there. */
function showNode(body, name) {
  const found = [...body.querySelectorAll("details.node")].filter((own) => own.dataset.node === name);
  const target = found.find((own) => own.classList.contains("bad")) ?? found[0];
  if (!target) return;
  target.open = true;
  target.scrollIntoView({ block: "start", behavior: "auto" });
  target.querySelector("summary").focus({ preventScroll: true });
}
