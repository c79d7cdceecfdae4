import asyncio
import dataclasses
import gc

import pytest

from penstock.connections.kinds import AzureOpenAIConnection, OpenAICompatibleConnection
from penstock.errors import BadConnection, ModelError
from penstock.models.model import CutStream, Request
from penstock.models.openai import azure, compatible, openai, serverless
from penstock.models.policy import CallPolicy
from penstock.models.retry import RetryPolicy

ASK = Request("chat", "gpt-4o", {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "user": None})


def run(kit, use, *answers, **how):
    async def scene():
        async with kit.endpoint(*answers) as endpoint, kit.model(endpoint.url, **how) as model:
            return await use(model), endpoint

    return asyncio.run(scene())


def complete(model):
    return model.complete(ASK)


async def stream(model):
    found = model.stream(ASK)
    texts = [delta.text async for delta in found]
    return texts, found.completion


async def collect(found, texts):
    async for delta in found:
        texts.append(delta.text)


async def failing(model, call=complete):
    with pytest.raises(ModelError) as caught:
        await call(model)
    return caught.value


def test_the_body_is_the_model_and_the_callers_parameters_and_nothing_else(kit):
    _, endpoint = run(kit, complete, kit.reply())
    assert endpoint.seen == [
        (
            "/v1/chat/completions",
            {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "user": None},
        )
    ]
    assert endpoint.headers[0]["Authorization"] == f"Bearer {kit.key}"


def test_a_call_may_have_headers_of_its_own_and_less_time(kit):
    asked = dataclasses.replace(ASK, headers={"X-Team": "search", "Authorization": "Bearer other"}, timeout=0.05)
    _, endpoint = run(kit, lambda model: model.complete(dataclasses.replace(asked, timeout=5)), kit.reply())
    assert endpoint.headers[0]["X-Team"] == "search"
    assert endpoint.headers[0]["Authorization"] == "Bearer other"
    assert "X-Team" not in endpoint.seen[0][1]
    assert "search" not in repr(asked)
    for call in (lambda model: model.complete(asked), lambda model: collect(model.stream(asked), [])):
        error, _ = run(kit, lambda model, call=call: failing(model, call), kit.hang(), attempts=1)
        assert "0.05 s" in error.message


def test_a_stream_adds_only_that_it_is_one(kit):
    _, endpoint = run(kit, stream, kit.events(kit.chunk("a", "stop"), b"data: [DONE]\n\n"))
    assert endpoint.seen[0][1].keys() == {"model", "messages", "temperature", "user", "stream"}


def test_a_storm_of_429s_ends_with_every_call_answered(kit):
    async def use(model):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(model.complete(ASK)) for _ in range(40)]
        return [task.result() for task in tasks]

    storm = [kit.reply("slow down", 429, {"retry-after-ms": "1"})] * 80
    answers, endpoint = run(kit, use, *storm, kit.reply("made it"), attempts=50)
    assert {answer.text for answer in answers} == {"made it"}
    assert sum(answer.attempts for answer in answers) == len(endpoint.seen) == 120


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_a_passing_trouble_is_tried_again(kit, status):
    answer, endpoint = run(kit, complete, kit.reply("x", status), kit.reply("x", status), kit.reply())
    assert (answer.text, answer.attempts, len(endpoint.seen)) == ("fine", 3, 3)


def test_retry_after_is_what_is_waited(kit):
    waits = []
    run(kit, complete, kit.reply("x", 429, {"Retry-After": "0.2"}), kit.reply(), waits=waits)
    assert 0.2 <= waits[0] <= 0.22


def test_a_broken_connection_is_tried_again(kit):
    answer, _ = run(kit, complete, kit.hang_up(), kit.reply())
    assert (answer.text, answer.attempts) == ("fine", 2)


def test_an_answer_that_is_no_json_is_tried_again_then_told(kit):
    answer, _ = run(kit, complete, kit.page("<html>"), kit.reply())
    assert answer.attempts == 2
    error, endpoint = run(kit, failing, kit.page("<html>oops"))
    assert len(endpoint.seen) == 3
    assert "hits APIResponseValidationError: the answer is no JSON: '<html>oops'" in error.message


def test_an_answer_of_another_shape_is_told(kit):
    error, _ = run(kit, failing, kit.page('{"choices": []}'))
    assert "the answer is no chat answer: {'choices': []}" in error.message


def test_an_error_with_status_200_is_an_error(kit):
    error, _ = run(kit, failing, kit.page('{"error": {"message": "no credits", "code": 402}}'))
    assert "no credits" in error.message
    assert error.status == 402


def test_an_endpoint_that_stays_silent_runs_into_the_time_limit(kit):
    policy = CallPolicy(timeout=0.05, retry=RetryPolicy(attempts=2))
    error, endpoint = run(kit, failing, kit.hang(), policy=policy)
    assert "hits APITimeoutError" in error.message
    assert "gave no answer in 0.05 s" in error.message
    assert "2 attempts" in error.message
    assert error.code == "ExceedMaxRetryTimes"
    assert len(endpoint.seen) == 2


def test_nobody_listening_is_told_after_three_tries(kit):
    async def scene():
        async with kit.endpoint(kit.reply()) as gone:
            pass
        async with kit.model(gone.url) as model:
            return await failing(model)

    error = asyncio.run(scene())
    assert "cannot connect to http://127.0.0.1:" in error.message
    assert "3 attempts" in error.message
    assert error.status is None


def test_an_error_says_who_what_and_how_often_and_no_key(kit):
    error, _ = run(kit, failing, kit.reply(f"bad key {kit.key} in Bearer {kit.key}", 401))
    assert error.message == (
        "OpenAI API hits AuthenticationError: bad key ****** in Bearer ****** "
        "(status 401, connection 'oai', model 'gpt-4o')."
    )
    assert (error.code, error.status, error.retryable) == ("WrappedOpenAIError", 401, False)


def test_exhausted_retries_say_so(kit):
    error, endpoint = run(kit, failing, kit.reply("busy", 500), attempts=4)
    assert len(endpoint.seen) == 4
    assert error.code == "ExceedMaxRetryTimes"
    assert error.retryable
    assert "4 attempts" in error.message


def test_an_endpoint_that_wants_an_hour_gets_no_retry(kit):
    error, endpoint = run(kit, failing, kit.reply("quota", 429, {"Retry-After": "3600"}))
    assert len(endpoint.seen) == 1
    assert "it asks to wait 3600 s, more than max_retry_after" in error.message
    assert error.retry_after == 3600


def test_a_redirect_is_not_followed_with_the_key(kit):
    error, endpoint = run(kit, failing, kit.page("", 307, {"Location": "http://elsewhere.example/v1"}))
    assert len(endpoint.seen) == 1
    assert "redirects to 'http://elsewhere.example/v1'" in error.message


def test_what_json_has_no_form_for_is_told_before_anything_is_sent(kit):
    async def use(model):
        with pytest.raises(ModelError, match="JSON has no form for"):
            await model.complete(Request("chat", "m", {"messages": [], "temperature": float("nan")}))

    _, endpoint = run(kit, use, kit.reply())
    assert endpoint.seen == []


def test_half_characters_do_not_break_a_request(kit):
    async def use(model):
        return await model.complete(Request("chat", "m", {"messages": [{"role": "user", "content": "\ud83d"}]}))

    answer, endpoint = run(kit, use, kit.reply())
    assert answer.text == "fine"
    assert endpoint.seen[0][1]["messages"][0]["content"] == "\ud83d"


def test_a_cut_stream_tells_what_had_come(kit):
    async def use(model):
        texts = []
        with pytest.raises(CutStream) as caught:
            await collect(model.stream(ASK), texts)
        return texts, caught.value

    for close in (True, False):
        (texts, error), endpoint = run(kit, use, kit.events(kit.chunk("Hel"), kit.chunk("lo"), close=close))
        assert error.partial.text == "Hello"
        assert "".join(texts) in {"Hello", "Hel", ""}
        assert "cut after 5 characters of the answer" in error.message
        assert error.partial.finish_reason is None
        assert len(endpoint.seen) == 1 if texts else 10


def test_a_stream_cut_before_anything_came_is_tried_again(kit):
    (_, answer), endpoint = run(
        kit,
        stream,
        kit.reply("busy", 503),
        kit.events(b": nothing yet\n\n", close=False),
        kit.events(kit.chunk("all"), kit.chunk("", "stop"), b"data: [DONE]\n\n"),
    )
    assert answer.text == "all"
    assert answer.attempts == len(endpoint.seen) == 3


def test_an_error_amid_a_stream_cuts_it_with_the_endpoints_words(kit):
    async def use(model):
        with pytest.raises(CutStream) as caught:
            await stream(model)
        return caught.value

    later = kit.events(kit.chunk("Hel"), b'data: {"error": {"message": "GPU on fire"}}\n\n')
    error, _ = run(kit, use, later)
    assert "GPU on fire" in error.message
    assert error.partial.text == "Hel"


def test_malformed_json_amid_a_stream_cuts_it(kit):
    async def use(model):
        with pytest.raises(CutStream, match="no JSON"):
            await stream(model)

    run(kit, use, kit.events(kit.chunk("Hel"), b'data: {"choices": [\n\n'))


def test_a_stream_without_done_is_whole_when_its_answer_is(kit):
    for close in (True, False):
        (_, answer), _ = run(kit, stream, kit.events(kit.chunk("all", "stop"), close=close))
        assert answer.text == "all"


def test_a_stream_with_done_but_without_a_reason_is_whole(kit):
    (_, answer), _ = run(kit, stream, kit.events(kit.chunk("all"), b"data: [DONE]\n\n"))
    assert (answer.text, answer.finish_reason) == ("all", None)


def test_usage_at_the_end_of_a_stream_is_counted(kit):
    usage = {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}}
    chunk = {**kit.chunk("a", "stop"), "model": "gpt-4o"}
    (_, answer), _ = run(kit, stream, kit.events(chunk, usage, b"data: [DONE]\n\n"))
    assert answer.usage.total_tokens == 1500
    assert answer.usage.cost == pytest.approx((1000 * 2.5 + 500 * 10) / 1e6)


def test_without_usage_the_cost_is_unknown(kit):
    (_, answer), _ = run(kit, stream, kit.events(kit.chunk("a", "stop"), b"data: [DONE]\n\n"))
    assert (answer.usage.calls, answer.usage.cost) == (1, None)


def test_a_server_that_cannot_stream_is_understood(kit):
    (texts, answer), _ = run(kit, stream, kit.reply("in one piece"))
    assert texts == ["in one piece"]
    assert answer.text == "in one piece"


def test_an_abandoned_stream_gives_its_place_back(kit):
    async def use(model):
        for _ in range(3):
            left = model.stream(ASK)
            await anext(left)
            del left
            gc.collect()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await model.complete(ASK)

    piece = kit.events(kit.chunk("a"), b": more\n\n" * 10, kit.chunk("b"))
    answer, _ = run(kit, use, piece, piece, piece, kit.reply(), policy=CallPolicy(concurrency=1))
    assert answer.text == "fine"


def test_a_cancelled_call_gives_its_place_back(kit):
    async def use(model):
        slow = asyncio.ensure_future(model.complete(ASK))
        await asyncio.sleep(0.05)
        slow.cancel()
        async with asyncio.timeout(5):
            return await model.complete(ASK)

    answer, _ = run(kit, use, kit.hang(), kit.reply(), policy=CallPolicy(concurrency=1))
    assert answer.text == "fine"


def test_allowances_a_minute_spread_the_calls(kit):
    async def use(model):
        for _ in range(3):
            await model.complete(ASK)

    waits = []
    run(kit, use, kit.reply(), waits=waits, policy=CallPolicy(requests_per_minute=60))
    assert [round(wait) for wait in waits] == [1, 2]


def test_an_azure_token_is_sent_and_fetched_anew_when_it_is_refused(kit):
    class Tokens:
        given = 0

        def get_token(self):
            Tokens.given += 1
            return f"token-number-{Tokens.given}"

    async def scene():
        async with kit.endpoint(kit.reply("expired token-number-1", 401), kit.reply()) as endpoint:
            connection = AzureOpenAIConnection(endpoint.url, auth_mode="meid_token", name="az")
            connection.get_token = Tokens().get_token
            async with kit.model(endpoint.url, connection=connection, of=azure) as model:
                answer = await model.complete(ASK)
                return answer, [headers["Authorization"] for headers in endpoint.headers], endpoint.seen[0][0]

    answer, sent, path = asyncio.run(scene())
    assert answer.text == "fine"
    assert sent == ["Bearer token-number-1", "Bearer token-number-2"]
    assert path == "/openai/deployments/gpt-4o/chat/completions?api-version=2024-02-01"


def test_a_proxy_of_the_environment_is_used_where_it_applies(kit):
    async def scene(env):
        async with kit.endpoint(kit.reply("from the proxy")) as proxy:
            filled = {key: value.format(proxy.url) for key, value in env.items()}
            connection = OpenAICompatibleConnection("http://nowhere.invalid/v1", name="far")
            async with kit.model("", connection=connection, of=compatible, env=filled, attempts=1) as model:
                return await model.complete(ASK)

    assert asyncio.run(scene({"HTTP_PROXY": "{}"})).text == "from the proxy"
    with pytest.raises(ModelError, match="cannot connect"):
        asyncio.run(scene({"HTTP_PROXY": "{}", "NO_PROXY": "nowhere.invalid"}))


class Bare:
    """A connection as an embedding program may hand it in: attributes, nothing more."""

    def __init__(self, **fields):
        self.__dict__.update({"name": "bare", "api_key": "bare-key-123456", **fields})


@pytest.mark.parametrize(
    ("endpoint", "api", "url"),
    [
        (openai(Bare()), "chat", "https://api.openai.com/v1/chat/completions"),
        (openai(Bare(base_url="http://h/x/")), "embedding", "http://h/x/embeddings"),
        (serverless(Bare(api_base="https://s.example")), "chat", "https://s.example/v1/chat/completions"),
        (serverless(Bare(api_base="https://s.example/v1/")), "completion", "https://s.example/v1/completions"),
        (
            azure(Bare(api_base="https://a.example/", api_version="2024-02-01")),
            "chat",
            "https://a.example/openai/deployments/my%20gpt/chat/completions?api-version=2024-02-01",
        ),
        (
            azure(Bare(api_base="https://a.example/openai", api_version="2025-03-01-preview")),
            "responses",
            "https://a.example/openai/responses?api-version=2025-03-01-preview",
        ),
        (
            azure(Bare(api_base="https://a.example/openai/deployments/d", api_version="x")),
            "embedding",
            "https://a.example/openai/deployments/d/embeddings?api-version=x",
        ),
        (
            azure(Bare(api_base="https://a.example", api_version="v1")),
            "chat",
            "https://a.example/openai/v1/chat/completions",
        ),
        (
            azure(Bare(api_base="https://a.example/openai/v1/", api_version="2024-02-01")),
            "responses",
            "https://a.example/openai/v1/responses",
        ),
        (
            azure(Bare(api_base="https://a.example", api_version="preview")),
            "chat",
            "https://a.example/openai/v1/chat/completions?api-version=preview",
        ),
    ],
)
def test_every_connection_finds_its_address(endpoint, api, url):
    assert endpoint.address(Request(api, "my gpt", {})) == url


def test_headers_carry_what_the_connection_says():
    assert openai(Bare(organization="org")).headers == {
        "Authorization": "Bearer bare-key-123456",
        "OpenAI-Organization": "org",
    }
    assert azure(Bare(api_base="https://a")).headers == {"api-key": "bare-key-123456"}
    gateway = compatible(Bare(base_url="http://g", headers={"X-Key": "gateway-secret"}, api_key=None))
    assert gateway.headers == {"X-Key": "gateway-secret"}
    assert gateway.secrets == ("gateway-secret",)
    assert compatible(Bare(base_url="http://g", api_key="k\n")).headers["Authorization"] == "Bearer k"


def test_no_representation_shows_a_key(kit):
    async def scene():
        async with kit.model("http://127.0.0.1:9") as model:
            return repr(model)

    assert kit.key not in asyncio.run(scene())
    assert "bare-key" not in repr(openai(Bare()))


def test_a_connection_that_lacks_its_address_or_key_says_so():
    with pytest.raises(BadConnection, match="needs an `api_base`"):
        azure(Bare(api_base=""))
    with pytest.raises(BadConnection, match="needs an `api_key`"):
        azure(Bare(api_base="https://a", api_key=None))
    with pytest.raises(BadConnection, match="needs a `base_url`"):
        compatible(Bare(base_url=None))
