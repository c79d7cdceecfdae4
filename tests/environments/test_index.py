import pytest

from penstock.environments.index import uv_variables, without_credentials


@pytest.fixture
def pip_conf(tmp_path):
    def write(text, name="pip.conf"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_what_pip_is_told_uv_is_told(pip_conf):
    file = pip_conf(
        "[global]\nindex-url = https://a.example/simple\nfind-links =\n    /one\n    /two\n[install]\nno-index = no\n"
    )
    assert uv_variables({}, (file,)) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "UV_FIND_LINKS": "/one,/two",
    }


def test_variables_win_over_files_and_later_files_over_earlier(pip_conf):
    files = (pip_conf("[global]\ncert = /a\ntimeout = 3\n", "a"), pip_conf("[global]\ncert = /b\n", "b"))
    assert uv_variables({}, files) == {"SSL_CERT_FILE": "/b", "UV_HTTP_TIMEOUT": "3"}
    assert uv_variables({"PIP_CERT": "/c", "SSL_CERT_FILE": ""}, files)["SSL_CERT_FILE"] == "/c"
    assert "SSL_CERT_FILE" not in uv_variables({"SSL_CERT_FILE": "/mine"}, files)


def test_several_indexes_count_alike_as_in_pip(pip_conf):
    file = pip_conf("[global]\nextra_index_url = https://b.example https://c.example\n")
    assert uv_variables({}, (file,)) == {
        "UV_INDEX": "https://b.example https://c.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_what_uv_is_told_itself_counts_alone(pip_conf):
    file = pip_conf("[global]\nindex-url = https://a.example/simple\n")
    assert uv_variables({"UV_DEFAULT_INDEX": "https://mine.example"}, (file,)) == {}


def test_broken_configuration_is_none(pip_conf, tmp_path):
    assert uv_variables({}, (pip_conf("no section\n"), tmp_path / "gone")) == {}


def test_credentials_are_taken_out_of_urls():
    said = "failed: https://me:s3cret@host/simple and https://host/a@b"
    assert without_credentials(said) == "failed: https://******@host/simple and https://host/a@b"
