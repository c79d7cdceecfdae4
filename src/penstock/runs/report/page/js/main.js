// Puts the page together; keys and addresses.

const PRINTED = 1000;

function start() {
  readAddress();
  renderSummary();
  renderTable();
  addEventListener("keydown", onKey);
  addEventListener("hashchange", onAddress);
  addEventListener("beforeprint", () => drawRows(true, PRINTED));
  addEventListener("afterprint", () => drawRows(true));
  if (view.open !== null) openLine(view.open);
}

/** Somebody followed a link inside the page, or changed the address by hand. */
function onAddress() {
  const before = JSON.stringify([view.query, view.show, view.differs, view.sort, view.down]);
  const open = view.open;
  const skip = location.hash === "#lines";
  if (skip) return;
  readAddress();
  if (before !== JSON.stringify([view.query, view.show, view.differs, view.sort, view.down])) {
    byId("search").value = view.query;
    refresh();
  }
  if (view.open !== null) openLine(view.open);
  else if (open !== null) closeLine();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const inText = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "Escape") return void escape(event, inText);
  if (inText) {
    if (event.key === "Enter" || event.key === "ArrowDown") take(event, () => (table.scroller.focus(), moveTo(0)));
    return;
  }
  const opened = view.open !== null;
  const inPanel = opened && byId("detail").contains(event.target);
  const move = (by) => (opened ? step(by) : (moveTo(table.current + by), table.scroller.scrollIntoView({ block: "nearest" })));
  const page = Math.max(1, Math.floor(table.scroller.clientHeight / table.height) - 1);
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => byId("search").focus(),
    d: () => toggleDiff(),
  };
  // The arrows scroll the panel when it has the focus, and the page when nothing in the table has.
  const inTable = table.scroller.contains(event.target);
  if (!inPanel && inTable) {
    Object.assign(keys, { ArrowDown: keys.j, ArrowUp: keys.k, PageDown: () => moveTo(table.current + page), PageUp: () => moveTo(table.current - page), Home: () => moveTo(0), End: () => moveTo(view.shown.length - 1) });
  }
  const free = event.target === document.body || event.target === table.scroller || event.target.closest?.("td.line");
  if (!opened && free) keys.Enter = () => view.shown.length && openLine(view.shown[Math.max(table.current, 0)].number);
  if (Object.hasOwn(keys, event.key)) take(event, keys[event.key]);
}

function escape(event, inText) {
  if (inText && event.target.value) return; // the browser empties the search field
  if (inText) event.target.blur();
  else closeLine();
}

function take(event, action) {
  event.preventDefault();
  action();
}

start();
