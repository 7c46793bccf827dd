"""The OpenAI-style routes, asked by the clients that people use."""

import httpx
import openai
import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

from tests.serving.conftest import key_of

_QUESTION = "Where is my parcel?"
_MESSAGES: list[dict[str, str]] = [{"role": "user", "content": _QUESTION}]


@pytest.fixture(scope="module")
def openai_client(client: httpx.Client) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{client.base_url}/v1", api_key=key_of(client), max_retries=0)


def _generate(client: httpx.Client, **body: object) -> dict[str, object]:
    answer: dict[str, object] = client.post("/generate", json={"prompt": _QUESTION, **body}).json()
    return answer


def test_chat_gives_the_answer_of_generate(client: httpx.Client, openai_client: openai.OpenAI) -> None:
    expected = _generate(client, max_new_tokens=9)

    found = openai_client.chat.completions.create(model="champion", messages=_MESSAGES, max_tokens=9)  # type: ignore[call-overload]

    assert found.choices[0].message.content == expected["answer"]
    assert found.choices[0].finish_reason == expected["finish_reason"]
    assert found.model == expected["model"]
    assert found.usage.completion_tokens == expected["usage"]["completion_tokens"]  # type: ignore[index]
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def test_chat_streams_chunks_and_tells_the_cost(client: httpx.Client, openai_client: openai.OpenAI) -> None:
    expected = _generate(client)

    chunks = list(
        openai_client.chat.completions.create(
            model="champion",
            messages=_MESSAGES,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    *texts, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in texts) == expected["answer"]
    assert texts[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in texts[:-1]] == [None] * (len(texts) - 1)
    assert texts[-1].choices[0].finish_reason == expected["finish_reason"]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == expected["usage"]["completion_tokens"]  # type: ignore[index]


def test_completion_answers_its_prompt_as_a_question(client: httpx.Client, openai_client: openai.OpenAI) -> None:
    expected = _generate(client)["answer"]

    whole = openai_client.completions.create(model="champion", prompt=_QUESTION)
    pieces = openai_client.completions.create(model="champion", prompt=_QUESTION, stream=True)

    assert whole.choices[0].text == expected
    assert "".join(piece.choices[0].text for piece in pieces) == expected


def test_models_are_listed_and_can_be_asked(openai_client: openai.OpenAI) -> None:
    names = [model.id for model in openai_client.models.list()]

    assert names[0] == "champion"
    assert len(names) == 3
    for name in names:
        answer = openai_client.chat.completions.create(model=name, messages=_MESSAGES, max_tokens=1)  # type: ignore[call-overload]
        assert answer.model == (names[1] if name == "champion" else name)


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "GET /v1/models"),
        ({"n": 2}, openai.UnprocessableEntityError, "n: "),
        ({"frequency_penalty": 1.0}, openai.UnprocessableEntityError, "frequency_penalty"),
        ({"extra_body": {"tempratur": 1}}, openai.UnprocessableEntityError, "did you mean `temperature`"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, openai.UnprocessableEntityError, "alternate"),
        ({"max_tokens": 100_000}, openai.UnprocessableEntityError, "at most"),
    ],
)
def test_what_is_not_answered_is_an_error_of_the_client(
    openai_client: openai.OpenAI, changes: dict[str, object], kind: type[openai.APIStatusError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        openai_client.chat.completions.create(**{"model": "champion", "messages": _MESSAGES, **changes})  # type: ignore[call-overload]


def test_parts_of_a_message_and_the_newer_names_are_understood(
    client: httpx.Client, openai_client: openai.OpenAI
) -> None:
    system = {"role": "system", "content": "Be brief."}
    expected = client.post("/generate", json={"messages": [system, *_MESSAGES], "max_new_tokens": 5}).json()

    found = openai_client.chat.completions.create(  # type: ignore[call-overload]
        model="champion",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": _QUESTION}]},
        ],
        max_completion_tokens=5,
        seed=-1,
        stop="\u0000never",
    )

    assert found.choices[0].message.content == expected["answer"]
    assert found.usage.prompt_tokens == expected["usage"]["prompt_tokens"]


def test_langchain_chain_ends_in_the_answer(client: httpx.Client) -> None:
    model = ChatOpenAI(
        base_url=f"{client.base_url}/v1", api_key=key_of(client), model="champion", temperature=0, max_retries=0
    )  # type: ignore[arg-type,call-arg]
    chain = ChatPromptTemplate.from_messages([("user", "Where is my {thing}?")]) | model | StrOutputParser()

    expected = _generate(client, temperature=0)["answer"]

    assert chain.invoke({"thing": "parcel"}) == expected
    assert "".join(chain.stream({"thing": "parcel"})) == expected
