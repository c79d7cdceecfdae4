// Word-level difference of two texts (Myers' O(ND) algorithm on words, spaces and signs).

const MAX_EDITS = 800;

/** `[["same" | "gone" | "new", text], …]`: how `before` becomes `after`. */
function wordDiff(before, after) {
  const a = words(before);
  const b = words(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const middle = edits(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const all = [...a.slice(0, head).map(same), ...middle, ...a.slice(a.length - tail).map(same)];
  return joined(all);
}

// Spaces; numbers with their fraction; single signs of scripts that put no space between words; words; anything else.
const WORD =
  /\s+|\d+(?:[.,]\d+)+|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]|(?:(?![\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}])[\p{L}\p{N}\p{M}_])+|[^\s]/gu;
const words = (text) => text.match(WORD) ?? [];
const same = (word) => ["same", word];

function edits(a, b) {
  const trace = [];
  let front = new Map([[1, 0]]);
  const most = Math.min(a.length + b.length, MAX_EDITS);
  for (let d = 0; d <= most; d += 1) {
    trace.push(front);
    const next = new Map(front);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && front.get(k - 1) < front.get(k + 1));
      let x = down ? front.get(k + 1) : front.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace, d);
    }
    front = next;
  }
  // Too different for a word-by-word answer to help anybody.
  return [...a.map((word) => ["gone", word]), ...b.map((word) => ["new", word])];
}

function walkBack(a, b, trace, last) {
  const out = [];
  let x = a.length;
  let y = b.length;
  for (let d = last; d >= 0; d -= 1) {
    const front = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && front.get(k - 1) < front.get(k + 1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : front.get(fromK);
    const fromY = d === 0 ? 0 : fromX - fromK;
    while (x > fromX && y > fromY) out.push(["same", a[(x -= 1, y -= 1, x)]]);
    if (d === 0) break;
    if (down) out.push(["new", b[(y -= 1)]]);
    else out.push(["gone", a[(x -= 1)]]);
  }
  return out.reverse();
}

/** Neighbours of one kind put together; a lone space between two changes joins them, so that phrases read as phrases. */
function joined(all) {
  const out = [];
  let gone = "";
  let fresh = "";
  const flush = () => {
    if (gone) out.push(["gone", gone]);
    if (fresh) out.push(["new", fresh]);
    gone = fresh = "";
  };
  all.forEach(([kind, word], at) => {
    const next = all[at + 1];
    if (kind === "gone") gone += word;
    else if (kind === "new") fresh += word;
    else if (gone && fresh && /^ $/.test(word) && next && next[0] !== "same") {
      gone += word;
      fresh += word;
    } else {
      flush();
      const last = out[out.length - 1];
      if (last?.[0] === "same") last[1] += word;
      else out.push(["same", word]);
    }
  });
  flush();
  return out;
}

/** The difference as nodes: `<del>` and `<ins>` around what changed. */
function diffView(before, after) {
  const tags = { gone: "del", new: "ins" };
  const parts = wordDiff(before, after);
  return el("div.text", null, parts.map(([kind, text]) => (tags[kind] ? el(tags[kind], null, text) : text)));
}
