import pytest

from penstock.errors import UsageError
from penstock.models.answer import usage_of
from penstock.models.model import Request
from penstock.models.policy import CallPolicy, call_policy
from penstock.models.prices import Price, Prices
from penstock.models.retry import RetryPolicy
from penstock.settings import read_settings


def settings(tmp_path, toml):
    (tmp_path / "penstock.toml").write_text(toml)
    return read_settings({"PENSTOCK_HOME": str(tmp_path / "home")}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("gpt-35-turbo-0125", "gpt-3.5-turbo"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
    ],
)
def test_dated_and_prefixed_names_have_the_price_of_their_model(name, same):
    assert Prices().find(name) == Prices().find(same) is not None


def test_a_model_of_another_size_is_not_mistaken_for_its_namesake():
    assert Prices().find("gpt-4o-mini") != Prices().find("gpt-4o")
    assert Prices().find("gpt-4o-audio") is None


def test_every_built_in_price_is_plausible():
    for model in ("gpt-5", "gpt-4.1-mini", "o3", "text-embedding-3-small", "claude-haiku-4-5"):
        price = Prices().find(model)
        assert 0 < price.input <= 100
        assert 0 <= price.output <= 200
        assert price.cached is None or price.cached < price.input


def test_penstock_toml_overrides_and_adds(tmp_path):
    prices = Prices.of(
        settings(tmp_path, '[prices."gpt-4o"]\ninput = 1\noutput = 2\n[prices.mine]\ninput=3\noutput=4.5\ncached=1\n')
    )
    assert prices.find("gpt-4o-2024-08-06") == Price(1.0, 2.0)
    assert prices.find("mine") == Price(3.0, 4.5, 1.0)
    assert prices.find("gpt-4o-mini") == Prices().find("gpt-4o-mini")


@pytest.mark.parametrize(
    "entry", ["input = 1", "input = 1\noutput = -1", "input = 1\noutput = true", "input=1\noutput=1\nin=1"]
)
def test_an_entry_that_is_no_price_is_told(tmp_path, entry):
    with pytest.raises(UsageError, match=r"penstock.toml: \[prices.'x'\] must have `input` and `output`"):
        Prices.of(settings(tmp_path, f"[prices.x]\n{entry}\n"))


def test_cost_counts_cached_tokens_at_their_own_price():
    raw = {
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 400}},
    }
    usage = usage_of(raw, Request("chat", "my-deployment", {}), Prices())
    assert usage.cost == pytest.approx((600 * 2.5 + 400 * 1.25 + 100 * 10) / 1e6)
    assert usage.total_tokens == 1100


def test_an_unknown_price_is_unknown_and_not_nothing():
    raw = {"model": "who-knows", "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
    assert usage_of(raw, Request("chat", "who-knows", {}), Prices()).cost is None


def test_the_deployments_own_price_is_found_where_the_answer_names_no_known_model():
    prices = Prices({"dep": Price(1, 1)})
    raw = {"model": "who-knows", "usage": {"prompt_tokens": 10**6, "completion_tokens": 0}}
    assert usage_of(raw, Request("chat", "dep", {}), prices).cost == 1


def test_limits_of_a_connection_stand_over_those_of_all(tmp_path):
    found = settings(
        tmp_path, "[models]\ntimeout = 9\nattempts = 3\n[limits.oai]\nattempts = 5\nrequests_per_minute = 60\n"
    )
    assert call_policy(found, "oai") == CallPolicy(timeout=9, requests_per_minute=60, retry=RetryPolicy(attempts=5))
    assert call_policy(found, "other") == CallPolicy(timeout=9, retry=RetryPolicy(attempts=3))


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[models]\nretries = 1", r"\[models\] has no setting 'retries'; there are: attempts, concurrency"),
        ("[models]\nattempts = 0", "attempts must be a whole number above 0, not 0"),
        ("[models]\nattempts = 1.5", "attempts must be a whole number above 0"),
        ("[limits.oai]\ntimeout = true", r"\[limits.oai\] timeout must be a number above 0, not True"),
        ("[limits]\noai = 3", r"\[limits.oai\] must be a table"),
    ],
)
def test_a_setting_that_is_none_is_told(tmp_path, toml, message):
    with pytest.raises(UsageError, match=message):
        call_policy(settings(tmp_path, toml), "oai")
