"""Hostile texts, runs made of them, and a reader for the page that was written."""

from __future__ import annotations

import io
import json
import os
import shutil
from html.parser import HTMLParser

import pytest

from penstock.records import Failure, LineResult, Metric, ModelCall, NodeRun, Run, Status, Usage
from penstock.runs.report import write_report

CHROMIUM = os.environ.get("PENSTOCK_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><!-- --!>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "https://evil.example/pixel.png",
    "{{7*7}} ${7*7} {{data}} {{script}} {{title}}",
    "\u2028alert(1)\u2029",
    "\x1b[31mred\x1b]0;title\x07\x00",
    "lone \ud800 surrogate \udfff",
    "turned \u202e around",
    "&lt;b&gt; &amp;",
    "\ufffe\uffff\x85",
    '{"$cut": "pretend", "of": 9}',
)


class Page(HTMLParser):
    """The elements, attributes and script texts of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text = text
        self.tags, self.scripts, self.styles, self.titles, self.metas = [], [], [], [], []
        self._inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append([dict(attrs), ""])
        if tag == "style":
            self.styles.append("")
        if tag == "meta":
            self.metas.append(dict(attrs))

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1][1] += data
        elif self._inside == "style":
            self.styles[-1] += data
        elif self._inside == "title":
            self.titles.append(data)

    def data(self, name):
        (text,) = [text for attrs, text in self.scripts if attrs.get("id") == name]
        return json.loads(text, parse_constant=pytest.fail)

    def rows(self, run=0, kind="rows"):
        names = [attrs["id"] for attrs, _ in self.scripts if attrs.get("id", "").startswith(f"{kind}-{run}-")]
        return [row for name in names for row in self.data(name)]

    @property
    def policy(self):
        (policy,) = [meta["content"] for meta in self.metas if meta.get("http-equiv") == "Content-Security-Policy"]
        return policy


def hostile_line(index, text):
    """One failed line that carries ``text`` in every place a record has for text."""
    failure = Failure(text, text, text, text, text)
    message = {"role": text, "content": [{"type": "text", "text": text}], text: text}
    call = ModelCall(text, text, {"messages": [message], text: text}, {"choices": [{"message": message}]}, error=text)
    node = NodeRun(
        text, Status.FAILED, {text: text}, {text: [text]}, 1.0, 1.0, failure, calls=(call,), logs={text: text}
    )
    return LineResult(index, Status.FAILED, {text: text}, {text: text}, failure, (node,), source={text: text})


def hostile_run(text):
    return Run(
        text,
        flow=text,
        data=text,
        run=(text,),
        variant=(text,),
        column_mapping={text: text},
        display_name=text,
        description=text,
        tags={text: text},
        metrics=(Metric(text, text, 1), Metric("nan", float("nan"), 1)),
        failure=Failure(text, text, text, text, text),
        system_metrics={text: text},
    )


def plain_line(index, *, output="an answer", failed=False, duration=0.25):
    failure = (
        Failure("ToolExecutionError", f"line {index} broke", "answer", "KeyError", "Traceback …") if failed else None
    )
    usage = Usage(10, 5, 15, 1, 0.001)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"question {index}"}]
    call = ModelCall(
        "chat",
        "gpt-4o",
        {"messages": messages, "temperature": 0.2},
        {"choices": [{"message": {"role": "assistant", "content": output}}]},
        usage,
        100.0 + index,
        duration,
        2,
    )
    status = Status.FAILED if failed else Status.COMPLETED
    nodes = (
        NodeRun("fetch", Status.COMPLETED, {"url": "u"}, "page", 100.0 + index, duration / 2),
        NodeRun("extra", Status.BYPASSED),
        NodeRun("answer", status, {"q": index}, output, 100.0 + index, duration, failure, usage, (call,)),
    )
    inputs = {"question": f"question {index}"}
    return LineResult(
        index, status, inputs, None if failed else {"answer": output}, failure, nodes, usage, 100.0 + index, duration
    )


@pytest.fixture
def line():
    return plain_line


@pytest.fixture
def make_run():
    def make(name, lines, **fields):
        failed = sum(line.status is Status.FAILED for line in lines)
        counts = {"lines": len(lines), "completed": len(lines) - failed, "failed": failed}
        return Run(name, Status.COMPLETED, **(counts | fields)), lambda: iter(lines)

    return make


@pytest.fixture
def write():
    """Writes the report of some runs and reads it back as a page."""

    def written(*runs, **options):
        out = io.StringIO()
        info = write_report(out, runs, **options)
        text = out.getvalue()
        text.encode("utf-8")
        return Page(text), info

    return written


@pytest.fixture(params=HOSTILE, ids=ascii)
def hostile(request):
    return request.param


@pytest.fixture
def all_hostile():
    """A run with everything hostile in each of its fields, and a line for each hostile text."""
    return hostile_run("\n".join(HOSTILE)), [hostile_line(index, text) for index, text in enumerate(HOSTILE)]


@pytest.fixture
def hostile_records(hostile):
    return [(hostile_run(hostile), lambda: iter([hostile_line(3, hostile)])) for _ in range(2)]


@pytest.fixture
def hostile_page(hostile, hostile_records, write):
    return write(*hostile_records, title=hostile)[0]


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no Chromium on the path (or PENSTOCK_TEST_CHROMIUM)")
    playwright = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the report of some runs; the test fails on any console message, error or request."""
    heard, contexts = [], []

    def opened(*runs, link="", width=1280, scheme="light"):
        target = tmp_path / "report.html"
        write_report(target, runs)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or heard.append(request.url))
        page.goto(target.as_uri() + link)
        return page

    opened.heard = heard
    yield opened
    for context in contexts:
        context.close()
    assert heard == []
