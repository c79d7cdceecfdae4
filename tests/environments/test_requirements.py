import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.environments.requirements import find_requirements, read_requirements, unmet
from penstock.errors import LoadError


@pytest.fixture
def read(tmp_path):
    def make(text, **others):
        for name, content in others.items():
            (tmp_path / f"{name}.txt").write_text(content, encoding="utf-8")
        file = tmp_path / "requirements.txt"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_requirements(file, tmp_path)

    return make


def test_comments_includes_and_continued_lines_are_one_flat_list(read):
    found = read(
        "# tools\nopenai==0.28.1  # old\n-r more.txt\nlangchain \\\n  >=0.0.200,<0.1\n-c pins.txt\n\n",
        more="requests\n-r requirements.txt\n",
        pins="urllib3<2\n",
    )
    assert [" ".join(line.split()) for line in found.lines] == [
        "openai==0.28.1",
        "requests",
        "langchain >=0.0.200,<0.1",
    ]
    assert found.constraints == ("urllib3<2",)


def test_what_windows_shells_write_is_read(read):
    assert read("openai==0.28.1\r\n".encode("utf-16")).lines == ("openai==0.28.1",)
    assert read("\ufeffopenai==0.28.1\n").lines == ("openai==0.28.1",)


def test_prompt_flow_is_left_out_and_what_it_brings_along_is_asked_for_where_it_is_imported(read, tmp_path):
    (tmp_path / "a.py").write_text("import openai\nfrom dotenv import load_dotenv\nimport json\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("def (", encoding="utf-8")
    found = read("promptflow[azure]==1.12.0\npromptflow-tools\nPenstock\npython_dotenv==1.0.0\n")
    assert found.left_out == ("promptflow", "promptflow-tools", "Penstock")
    assert found.lines == ("python_dotenv==1.0.0", "openai")


def test_nothing_is_added_where_prompt_flow_is_not_asked_for(read, tmp_path):
    (tmp_path / "a.py").write_text("import openai\n", encoding="utf-8")
    assert read("tqdm\n").lines == ("tqdm",)


def test_local_paths_start_at_the_file(read, tmp_path):
    found = read("./one.whl\n-e .\n--find-links ./wheels\nx @ https://example.org/x.whl\n")
    assert found.lines == (
        f"{tmp_path}/one.whl",
        f"-e {tmp_path}",
        f"--find-links {tmp_path}/wheels",
        "x @ https://example.org/x.whl",
    )


def test_digest_knows_what_a_local_file_holds(read, tmp_path):
    (tmp_path / "one.whl").write_bytes(b"1")
    before = read("./one.whl\n").digest
    (tmp_path / "one.whl").write_bytes(b"2")
    assert read("./one.whl\n").digest != before


def test_digest_knows_no_credentials(read):
    first, second = (read(f"x @ https://{user}:{user}@example.org/x.whl\n") for user in ("ann", "bob"))
    assert first.digest == second.digest
    assert "ann" not in " ".join(first.names())


@given(st.lists(st.sampled_from(["openai==0.28.1", "tqdm", "numpy>=1,<2", "x[y]~=1.0"]), unique=True), st.data())
def test_digest_is_that_of_what_is_asked_for(tmp_path_factory, lines, data):
    file = tmp_path_factory.mktemp("digest") / "requirements.txt"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    plain = read_requirements(file)
    dressed = [
        data.draw(st.sampled_from(["", " ", "# a\n", "\n"])) + line + data.draw(st.sampled_from(["", "  ", " # b"]))
        for line in lines
    ]
    file.write_text("\n".join(dressed) + "\n", encoding="utf-8")
    assert read_requirements(file).digest == plain.digest
    assert read_requirements(file).lines == tuple(lines)


def test_missing_file_is_one_sentence(read):
    with pytest.raises(LoadError, match=r"gone\.txt: the requirements cannot be read"):
        read("-r gone.txt\n")
    with pytest.raises(LoadError, match="byte 0 is no UTF-8"):
        read(b"\xff\xfa\n")


def test_unmet_requirements_are_told_with_what_is_there(read):
    found = read(
        "openai<1\ntqdm\nnumpy>=1\nold; python_version < '3'\n./x.whl\n-i https://me:secret@example.org\nmissing-one\n"
    )
    have = {"openai": "2.1.0", "numpy": "2.0"}
    assert unmet(found, have) == [
        "openai<1 (2.1.0 is installed)",
        "tqdm (not installed)",
        "missing-one (not installed)",
    ]


@pytest.mark.parametrize(
    ("yaml", "name"),
    [
        ("nodes: []\n", "requirements.txt"),
        ("environment: {python_requirements_txt: deps/needs.txt}\n", "deps/needs.txt"),
        ("environment: {image: x}\n", "requirements.txt"),
    ],
)
def test_flow_names_its_requirements_or_has_them_beside_it(tmp_path, yaml, name):
    flow = tmp_path / "flow.dag.yaml"
    flow.write_text(yaml, encoding="utf-8")
    (tmp_path / "deps").mkdir()
    for file in ("requirements.txt", "deps/needs.txt"):
        (tmp_path / file).write_text("tqdm\n", encoding="utf-8")
    assert find_requirements(flow) == tmp_path / name


def test_requirements_may_come_with_the_includes(tmp_path):
    (tmp_path / "flow").mkdir()
    (tmp_path / "requirements.txt").write_text("tqdm\n", encoding="utf-8")
    flow = tmp_path / "flow/flow.dag.yaml"
    flow.write_text("additional_includes:\n- ../requirements.txt\n", encoding="utf-8")
    assert find_requirements(flow).resolve() == tmp_path / "requirements.txt"


def test_requirements_that_are_named_and_missing_are_an_error(tmp_path):
    flow = tmp_path / "flow.dag.yaml"
    flow.write_text("environment: {python_requirements_txt: gone.txt}\n", encoding="utf-8")
    with pytest.raises(LoadError, match=r"names 'gone\.txt', which is not there"):
        find_requirements(flow)
