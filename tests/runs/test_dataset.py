"""Data files become rows, verbatim and lazily; what is wrong with a file is told with its line."""

import csv
import datetime
import decimal
import io
import json
import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InputError, MissingDependency
from penstock.runs.dataset import Dataset
from penstock.runs.json_array import array_items

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.lists(st.dictionaries(st.text(), values, max_size=4), min_size=1, max_size=6)


def read(path):
    return [row.values for row in Dataset.open(path).rows()]


def file(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


@settings(deadline=None)
@given(objects, st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n"]), st.booleans(), st.booleans())
def test_jsonl_rows_come_back_verbatim(tmp_path_factory, rows, ascii_only, newline, bom, last_newline):
    text = newline.join(json.dumps(row, ensure_ascii=ascii_only) for row in rows) + newline * last_newline
    path = file(tmp_path_factory.mktemp("d"), "data.jsonl", b"\xef\xbb\xbf" * bom + text.encode("utf-8"))
    assert read(path) == rows
    assert Dataset.open(path).count() == len(rows)


@settings(deadline=None)
@given(objects, st.sampled_from([None, 2]))
def test_json_rows_come_back_verbatim(tmp_path_factory, rows, indent):
    path = file(tmp_path_factory.mktemp("d"), "data.json", json.dumps(rows, indent=indent))
    assert read(path) == rows
    assert Dataset.open(path).count() == len(rows)


@given(st.lists(values, max_size=8), st.integers(1, 40), st.sampled_from([None, 1]))
def test_array_items_do_not_depend_on_where_chunks_end(items, chunk, indent):
    assert list(array_items(io.StringIO(json.dumps(items, indent=indent)), chunk)) == items


@pytest.mark.parametrize(
    "text", ["", "{}", "[1", "[1,]", "[,1]", "[1 2]", "[1] 2", "[1]]", '["a', "[1}", "[01]", "[", "nul"]
)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_array_items_refuse_what_is_no_array(text, chunk):
    with pytest.raises(ValueError, match="line 1"):
        list(array_items(io.StringIO(text), chunk))


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None)
@given(
    st.lists(cells.filter(bool), min_size=2, max_size=4, unique=True).filter(lambda h: h[0][0] != "\ufeff"),
    st.data(),
    st.sampled_from([("data.csv", ","), ("data.tsv", "\t")]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_csv_cells_come_back_as_the_strings_they_are(tmp_path_factory, header, data, kind, newline, bom):
    rows = data.draw(st.lists(st.lists(cells, min_size=len(header), max_size=len(header)), min_size=1, max_size=4))
    text = io.StringIO()
    csv.writer(text, delimiter=kind[1], lineterminator=newline, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    content = b"\xef\xbb\xbf" * bom + text.getvalue().encode("utf-8")
    path = file(tmp_path_factory.mktemp("d"), kind[0], content)
    assert read(path) == [dict(zip(header, row, strict=True)) for row in rows]
    assert Dataset.open(path).columns() == header


def test_values_are_not_what_pandas_makes_of_them(tmp_path):
    rows = [
        {"a": 1, "created_at": "2024-01-02", "q_time": "12:30", "big": 2**80},
        {"b": 2, "created_at": "2024-01-03", "q_time": "12:31", "a": None},
    ]
    path = file(tmp_path, "data.jsonl", "\n".join(map(json.dumps, rows)))
    got = read(path)
    assert got == rows
    assert type(got[0]["a"]) is int


def test_nan_tokens_are_numbers(tmp_path):
    (row,) = read(file(tmp_path, "data.jsonl", '{"x": NaN, "y": -Infinity}'))
    assert math.isnan(row["x"])
    assert row["y"] == -math.inf


def test_ragged_rows_are_noted_once(tmp_path):
    dataset = Dataset.open(
        file(tmp_path, "data.jsonl", '{"a": 1, "b": 2}\n{"b": 2, "a": 1}\n{"a": 1, "c": 3}\n{"x": 1}')
    )
    assert [row.values for row in dataset.rows()][2] == {"a": 1, "c": 3}
    assert [note.partition(": ")[2] for note in dataset.notes] == [
        "row 3 has no 'b' and adds 'c', unlike row 1: a missing cell counts as not given (prompt flow made it NaN)."
    ]


def test_csv_cells_stay_strings(tmp_path):
    path = file(tmp_path, "data.csv", 'n,t,e,q\n1,NA,,"a ""b"", c\nd"\n2.0,true,null,\n')
    assert read(path) == [
        {"n": "1", "t": "NA", "e": "", "q": 'a "b", c\nd'},
        {"n": "2.0", "t": "true", "e": "null", "q": ""},
    ]


def test_csv_headers_are_told_apart_as_prompt_flow_does(tmp_path):
    assert read(file(tmp_path, "data.csv", ",a,a,a.1\n1,2,3,4\n")) == [
        {"Unnamed: 0": "1", "a": "2", "a.1": "3", "a.1.1": "4"}
    ]


def test_short_csv_rows_are_filled_and_blank_ones_skipped(tmp_path):
    assert read(file(tmp_path, "data.csv", "\na,b\n\n1\n\n2,3")) == [{"a": "1", "b": ""}, {"a": "2", "b": "3"}]


def test_a_cell_may_be_longer_than_the_csv_modules_limit(tmp_path):
    assert read(file(tmp_path, "data.csv", "a,b\n" + "x" * 300_000 + ",y\n"))[0]["a"] == "x" * 300_000


def test_a_line_may_be_huge(tmp_path):
    assert len(read(file(tmp_path, "data.jsonl", json.dumps({"a": "x" * 5_000_000})))[0]["a"]) == 5_000_000


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("d.jsonl", '{"a": 1}\n{"a": \n', "d.jsonl:2: this line is no JSON: Expecting value"),
        ("d.jsonl", '{"a": 1}\n\n[1]\n', "d.jsonl:3: a row must be a JSON object, not an array."),
        ("d.jsonl", '"text"', "d.jsonl:1: a row must be a JSON object, not a string."),
        ("d.jsonl", "[" * 100_000, "d.jsonl:1: this line is no JSON: maximum recursion depth"),
        ("d.jsonl", '{"a": ' + "1" * 5000 + "}", "d.jsonl:1: this line is no JSON: Exceeds the limit"),
        ("d.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "d.jsonl:2: byte 16 (0xff) is no UTF-8; save the file as UTF-8."),
        ("d.jsonl", '{"a": 1}'.encode("utf-16"), "d.jsonl: this file is UTF-16; save it as UTF-8."),
        ("d.csv", "a,b\n1,2\n1,2,3\n", "d.csv:3: this row has 3 cells, the header has 2"),
        ("d.csv", 'a,b\n1,2\n1,"x\ny\n', "d.csv:3: a quote that opens in this row is never closed."),
        ("d.csv", b"a,b\n1,\xe4\n", "d.csv:2: byte 6 (0xe4) is no UTF-8"),
        ("d.csv", "a,b\n1,2\n".encode("utf-16"), "d.csv: this file is UTF-16"),
        ("d.tsv", "a\tb\n1\t2\t3\n", "d.tsv:2: this row has 3 cells"),
        ("d.json", '[{"a": 1},\n {"a": }]', "d.json: this is no JSON: Expecting value in line 2."),
        ("d.json", '[{"a": 1}, 3]', "d.json: item 2 must be an object, not a number."),
        ("d.json", '{"a": [1, 2], "b": [1]}', "d.json: the columns are not equally long: 'a' has 2, 'b' has 1."),
        ("d.json", '{"a": 1,\n "b"}', "d.json:2: this is no JSON"),
        ("d.json", "3", "d.json: this must be an array of objects, not a number."),
        ("d.json", b'[{"a": "\xff"}]', "d.json:1: byte 8 (0xff) is no UTF-8"),
        ("d.parquet", "no parquet", "d.parquet: this is no Parquet file"),
        ("d.data", "a,b\n1,2\n", "d.data:1: this line is no JSON"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(tmp_path, name, content, told):
    with pytest.raises(InputError) as caught:
        read(file(tmp_path, name, content))
    assert told in str(caught.value)
    assert str(caught.value).endswith(".")


def test_rows_before_a_broken_one_are_given_first(tmp_path):
    rows = Dataset.open(file(tmp_path, "d.jsonl", '{"a": 1}\n{"a": 2}\n{')).rows()
    assert [next(rows).values, next(rows).values] == [{"a": 1}, {"a": 2}]
    with pytest.raises(InputError, match=":3:"):
        next(rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"a": [1, 2], "b": ["x", "y"]}', [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ('{"a": {"0": 1, "1": 2}, "b": {"1": "y"}}', [{"a": 1}, {"a": 2, "b": "y"}]),
        ('{"a": 1, "b": [2]}', [{"a": 1, "b": [2]}]),
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('\ufeff [{"a": 1}]', [{"a": 1}]),
    ],
)
def test_json_may_be_rows_columns_one_row_or_lines(tmp_path, text, rows):
    assert read(file(tmp_path, "data.json", text)) == rows


@pytest.mark.parametrize(
    ("name", "content"),
    [("d.jsonl", ""), ("d.jsonl", "\n \n"), ("d.json", "[]"), ("d.json", " "), ("d.csv", ""), ("d.csv", "a,b\n")],
)
def test_data_without_rows_is_refused(tmp_path, name, content):
    with pytest.raises(InputError, match="There are no rows in") as caught:
        read(file(tmp_path, name, content))
    assert caught.value.code == "EmptyInputsData"


def test_an_unknown_ending_is_tried_as_jsonl(tmp_path):
    assert read(file(tmp_path, "data.txt", '{"a": 1}\n')) == [{"a": 1}]


def test_a_folder_gives_all_its_files_sorted(tmp_path):
    file(tmp_path, "b/two.csv", "a\n2\n")
    file(tmp_path, "a/one.jsonl", '{"a": 1}\n{"a": 11}')
    file(tmp_path, "c/three", '{"a": 3}')
    file(tmp_path, "c/tool.py", "A = 1\n")
    file(tmp_path, "c/image.png", b"\x89PNG\r\n\x1a\n\0")
    file(tmp_path, "c/empty.jsonl", "")
    file(tmp_path, ".hidden/x.jsonl", '{"a": 9}')
    dataset = Dataset.open(tmp_path)
    rows = list(dataset.rows())
    assert [(row.index, row.values["a"], row.folder.name) for row in rows] == [
        (0, 1, "a"), (1, 11, "a"), (2, "2", "b"), (3, 3, "c"),
    ]  # fmt: skip
    assert sorted(note.split(" is no data file")[0].rpartition("/")[2] for note in dataset.notes) == [
        "image.png", "tool.py",
    ]  # fmt: skip
    assert dataset.count() == 4


def test_a_folder_without_data_is_refused(tmp_path):
    file(tmp_path, "readme.md", "# hi")
    with pytest.raises(InputError, match="no rows"):
        read(tmp_path)


def test_rows_can_be_given_as_they_are(tmp_path):
    dataset = Dataset.of_rows([{"a": 1}, {"a": 2}], tmp_path)
    assert [(row.index, row.values, row.folder) for row in dataset.rows()] == [
        (0, {"a": 1}, tmp_path),
        (1, {"a": 2}, tmp_path),
    ]
    assert (dataset.count(), dataset.columns()) == (2, ["a"])
    assert len(list(dataset.rows())) == 2, "rows can be asked for again"


def test_columns_come_from_the_first_rows(tmp_path):
    path = file(tmp_path, "d.jsonl", '{"b": 1}\n{"a": 1, "b": 2}\n{"c": 1}')
    assert Dataset.open(path).columns() == ["b", "a", "c"]
    assert Dataset.open(path).columns(sample=2) == ["b", "a"]


def test_missing_data_names_the_nearest_file(tmp_path):
    file(tmp_path, "data.jsonl", "{}")
    with pytest.raises(InputError, match=r"dta\.jsonl does not exist\. The nearest there: data\.jsonl\."):
        Dataset.open(tmp_path / "dta.jsonl")


@pytest.mark.parametrize("path", ["azureml:my-data:1", "https://host/data.jsonl"])
def test_remote_data_is_refused_with_a_way_out(path):
    with pytest.raises(InputError, match="download it"):
        Dataset.open(path)


def test_parquet_rows_become_plain_json(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {
            "i": 2**60, "f": 1.5, "s": "ä", "n": None, "l": [1, 2], "o": {"x": 1}, "b": b"\xff",
            "d": datetime.datetime(2024, 1, 2, 3, 4, tzinfo=datetime.UTC), "m": decimal.Decimal("2.50"), "ok": True,
        },
        {"i": 1, "f": None, "s": "", "n": None, "l": [], "o": None, "b": b"x", "d": None, "m": None, "ok": False},
    ]  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "d.parquet")
    dataset = Dataset.open(tmp_path / "d.parquet")
    first, second = (row.values for row in dataset.rows())
    assert first == {
        "i": 2**60, "f": 1.5, "s": "ä", "n": None, "l": [1, 2], "o": {"x": 1}, "b": "/w==",
        "d": "2024-01-02T03:04:00+00:00", "m": 2.5, "ok": True,
    }  # fmt: skip
    assert second["o"] is None
    assert type(first["i"]) is int
    assert dataset.count() == 2
    assert dataset.columns()[:3] == ["i", "f", "s"]
    json.dumps([first, second])


def test_parquet_without_its_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependency, match=r"penstock\[parquet\]"):
        read(file(tmp_path, "d.parquet", "x"))


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv"])
def test_memory_stays_flat_while_rows_are_read(tmp_path, name):
    row = {"a": "x" * 500, "b": "y" * 500}
    with (tmp_path / name).open("w") as out:
        if name == "d.csv":
            out.write("a,b\n" + f"{row['a']},{row['b']}\n" * 30_000)
        elif name == "d.json":
            out.write("[" + ",".join([json.dumps(row)] * 30_000) + "]")
        else:
            out.write((json.dumps(row) + "\n") * 30_000)
    code = (
        "import resource, sys; from penstock.runs.dataset import Dataset; d = Dataset.open(sys.argv[1]);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; n = sum(1 for _ in d.rows());"
        "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert count == 30_000
    assert grown < 12_000, f"{grown} KiB for 30 MB of data"
