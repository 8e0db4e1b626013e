"""The OpenAI-compatible routes, driven by the official client; and Dify's."""

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from kbcore.bootstrap import Platform
from tests.integration.asking import Desk

QUESTION = "年假可以结转吗？"
GOOD = "年假可以结转至次年三月三十一日。[1]"


@pytest.fixture
def client(desk: Desk) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{desk.url}/v1", api_key=desk.keys["employee"], max_retries=0) as opened:
        yield opened


def asked(question: str = QUESTION) -> list[dict[str, str]]:
    return [{"role": "system", "content": "be brief"}, {"role": "user", "content": question}]


def test_a_chat_completion_is_cited(client: openai.OpenAI, desk: Desk) -> None:
    completion = client.chat.completions.create(model="zhiku", messages=asked())  # type: ignore[arg-type]
    message = completion.choices[0].message
    assert message.content is not None
    assert "三月三十一日" in message.content
    citation = message.citations[0]  # type: ignore[attr-defined]
    stored = desk.corpus.text_of(citation["document_id"], citation["version"])
    assert stored[citation["source"]["start"] : citation["source"]["end"]] == citation["quote"]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0


def test_streaming_gives_the_same(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="zhiku", messages=asked())  # type: ignore[arg-type]
    chunks = list(
        client.chat.completions.create(
            model="zhiku",
            messages=asked(),  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    last = [chunk for chunk in chunks if chunk.choices][-1].choices[0]
    assert last.finish_reason == "stop"
    assert last.delta.citations == whole.choices[0].message.citations  # type: ignore[attr-defined]
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_history_stop_and_limits(client: openai.OpenAI, desk: Desk) -> None:
    desk.chat.answer = GOOD + "员工入职满一年后享有五天年假。[1]"

    def say(**more: object) -> tuple[str | None, str]:
        completion = client.chat.completions.create(model="say", messages=asked(), **more)  # type: ignore[call-overload]
        return completion.choices[0].message.content, completion.choices[0].finish_reason

    whole = GOOD + "员工入职满一年后享有五天年假。[2]"
    assert say() == (whole, "stop")
    assert say(stop=["员工入职"]) == (GOOD, "stop")
    assert say(stop="三月", temperature=1.5) == ("年假可以结转至次年", "stop")
    assert say(max_tokens=25) == (GOOD, "length")
    assert say(max_completion_tokens=1) == ("", "length")
    assert desk.chat.requests[2]["temperature"] == 1.5
    messages = [
        {"role": "user", "content": "病假需要什么证明？"},
        {"role": "assistant", "content": "医院证明。[1]"},
        {"role": "user", "content": [{"type": "text", "text": "那年假可以结转吗"}]},
    ]
    client.chat.completions.create(model="say", messages=messages)  # type: ignore[arg-type]
    assert [m["role"] for m in desk.chat.requests[-1]["messages"]] == ["system", "user", "assistant", "user"]


def test_chunks_are_shaped_to_the_letter(client: openai.OpenAI) -> None:
    """A strict parser misses no field that OpenAI always sends, and finds no null where it sends none."""
    with client.chat.completions.with_streaming_response.create(
        model="zhiku",
        messages=asked(),
        stream=True,  # type: ignore[arg-type]
    ) as response:
        *data, done = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert done == "[DONE]"
    first, *middle, last = [json.loads(each) for each in data]
    assert all("usage" not in each for each in (first, *middle, last))
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None, "logprobs": None}
    ]
    for each in middle:
        assert each["choices"][0]["delta"].keys() == {"content"}
        assert each["choices"][0]["finish_reason"] is None
    own = {"citations", "abstained", "reason", "answered_by", "experimental", "routed_because"}
    assert last["choices"][0]["delta"].keys() == own
    assert last["choices"][0]["finish_reason"] == "stop"
    whole = client.chat.completions.with_raw_response.create(model="zhiku", messages=asked())  # type: ignore[arg-type]
    choice = json.loads(whole.text)["choices"][0]
    assert choice["logprobs"] is choice["message"]["refusal"] is None


def test_who_answered_and_why_is_told(client: openai.OpenAI, desk: Desk) -> None:
    completion = client.chat.completions.create(model="broken", messages=asked())  # type: ignore[arg-type]
    message = completion.choices[0].message.model_dump()
    assert (completion.model, message["answered_by"]) == ("broken", "extractive")
    assert message["routed_because"].endswith("extractive answers instead")
    assert (message["abstained"], message["reason"]) == (False, None)
    unknown = client.chat.completions.create(model="zhiku", messages=asked("公司的股票代码是什么？"))  # type: ignore[arg-type]
    assert unknown.choices[0].message.model_dump()["abstained"] is True


def test_what_openai_lets_be_null_or_empty_may_be(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="zhiku", messages=asked())  # type: ignore[arg-type]
    nothing = dict.fromkeys(
        [
            "n",
            "temperature",
            "stop",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "tools",
            "logprobs",
        ]
    )
    for more in (nothing, {"tools": [], "tool_choice": "auto", "logprobs": False, "top_logprobs": 0, "n": 1}):
        again = client.chat.completions.create(model="zhiku", messages=asked(), **more)  # type: ignore[call-overload]
        assert again.choices[0].message.content == whole.choices[0].message.content


def test_what_tools_said_is_passed_over(client: openai.OpenAI, desk: Desk) -> None:
    desk.chat.answer = GOOD
    call = {"id": "c", "type": "function", "function": {"name": "calendar", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "病假需要什么证明？", "name": "lina"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "七楼会议室"},
        {"role": "assistant", "content": "医院证明。"},
        {"role": "user", "content": QUESTION},
    ]
    client.chat.completions.create(model="say", messages=messages)  # type: ignore[arg-type]
    sent = [message["content"] for message in desk.chat.requests[-1]["messages"]]
    assert sent[1:3] == ["病假需要什么证明？", "医院证明。"]
    assert "七楼会议室" not in "".join(sent)


def test_errors_have_openais_shape(client: openai.OpenAI, desk: Desk) -> None:
    tools = [{"type": "function", "function": {"name": "x", "parameters": {}}}]
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]
    for status, code, parameter, more in [
        (404, "model_not_found", None, {"model": "gpt-9"}),
        (400, "unsupported_parameter", "tools", {"tools": tools}),
        (400, "unsupported_parameter", "tool_choice", {"tool_choice": "required"}),
        (400, "unsupported_parameter", "functions", {"functions": [{"name": "x"}]}),
        (400, "unsupported_parameter", "n", {"n": 2}),
        (400, "unsupported_parameter", "logprobs", {"logprobs": True}),
        (400, "unsupported_parameter", "modalities", {"modalities": ["text", "audio"]}),
        (400, "unsupported_parameter", "response_format", {"response_format": {"type": "json_object"}}),
        (400, "unsupported_parameter", "messages", {"messages": image}),
        (400, "invalid_messages", "messages", {"messages": [{"role": "assistant", "content": "x"}]}),
        (400, "invalid_messages", "messages", {"messages": [*asked(), {"role": "tool", "content": "x"}]}),
        (400, "validation_failed", "temperature", {"temperature": 3}),
        (400, "validation_failed", "messages", {"messages": []}),
        (400, "empty_query", None, {"messages": [{"role": "user", "content": ""}]}),
        (400, "query_too_long", None, {"messages": [{"role": "user", "content": "年" * 5000}]}),
    ]:
        with pytest.raises(openai.NotFoundError if status == 404 else openai.BadRequestError) as refused:
            client.chat.completions.create(**{"model": "zhiku", "messages": asked(), **more})  # type: ignore[call-overload]
        assert (refused.value.code, refused.value.param) == (code, parameter)
        assert refused.value.type == "invalid_request_error"
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{desk.url}/v1", api_key="wrong", max_retries=0).models.list()
    bare = httpx.post(f"{desk.url}/v1/chat/completions", json=[], headers={"authorization": f"Bearer {client.api_key}"})
    assert (bare.status_code, bare.json()["error"]["param"]) == (400, None)


def test_models_and_embeddings(client: openai.OpenAI, platform: Platform) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:2] == ["zhiku", "extractive"]
    assert client.models.retrieve("extractive").id == "extractive"
    embedder = platform.embedding_model
    as_base64 = client.embeddings.create(model=embedder.name, input=["年假", "leave"])
    as_floats = client.embeddings.create(model=embedder.name, input="年假", encoding_format="float")
    assert len(as_base64.data) == 2
    assert as_base64.data[0].embedding == pytest.approx(as_floats.data[0].embedding, abs=1e-3)
    assert as_floats.data[0].embedding == pytest.approx(embedder.embed_passages(["年假"])[0].tolist(), abs=1e-3)
    query = client.embeddings.create(model="zhiku", input="年假", extra_body={"input_type": "query"})
    assert query.data[0].embedding == pytest.approx(embedder.embed_query("年假").tolist(), abs=1e-3)
    assert len(client.embeddings.create(model="zhiku", input=["x"] * 1000).data) == 1000  # LangChain's way
    for bad in ([1, 2, 3], [[1]], [], "", ["x", ""], ["x"] * 2049):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="zhiku", input=bad)  # type: ignore[arg-type]
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="x")


def test_dify_external_knowledge(desk: Desk) -> None:
    with desk.client() as client:
        body = {"knowledge_id": "public", "query": QUESTION, "retrieval_setting": {"top_k": 2, "score_threshold": 0.1}}
        records = client.post("/retrieval", json=body).json()["records"]
        assert len(records) == 2
        assert "三月三十一日" in records[0]["content"]
        assert records[0]["title"] == "员工手册"
        strict = {**body, "retrieval_setting": {"top_k": 2, "score_threshold": 99}}
        assert client.post("/retrieval", json=strict).json() == {"records": []}
        hidden = client.post("/retrieval", json={**body, "knowledge_id": "hr"})
        unknown = client.post("/retrieval", json={**body, "knowledge_id": "none"})
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.json() == unknown.json()
        assert hidden.json()["error_code"] == 2001
        conditions = [{"name": ["region"], "comparison_operator": "is", "value": "CN"}]
        narrowed = client.post("/retrieval", json={**body, "metadata_condition": {"conditions": conditions}})
        assert narrowed.json() == {"records": []}
        conditions[0]["comparison_operator"] = "contains"
        refused = client.post("/retrieval", json={**body, "metadata_condition": {"conditions": conditions}})
        assert refused.status_code == 422
        assert httpx.post(f"{desk.url}/retrieval", json=body).status_code in (401, 403)
