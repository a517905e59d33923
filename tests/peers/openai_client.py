"""Asks an endpoint with the client of OpenAI (`pip install openai`) and checks what it makes of the answers.

    python openai_client.py API_BASE KEY MODEL

The model behind it is the one of `tests/serve.rs`: it answers with the words of the last message, backwards. Prints
the version of the client.
"""

import sys

try:
    import openai
except ImportError as error:
    print(f"openai cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)


def main(base: str, key: str, model: str) -> None:
    client = openai.OpenAI(base_url=base, api_key=key, max_retries=0, timeout=20)
    ask = [{"role": "system", "content": "Turn it round."}, {"role": "user", "content": "one two three"}]

    assert [m.id for m in client.models.list()] == [model]
    assert client.models.retrieve(model).id == model

    whole = client.chat.completions.create(model=model, messages=ask, temperature=0, max_tokens=20, seed=3)
    assert whole.choices[0].message.content == "three two one", whole
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.prompt_tokens == 6 and whole.usage.completion_tokens == 3, whole.usage
    assert whole.usage.prompt_tokens_details.cached_tokens == 3, whole.usage

    two = client.chat.completions.create(model=model, messages=ask, n=2, max_tokens=2)
    assert [c.message.content for c in two.choices] == ["three two"] * 2, two
    assert [c.finish_reason for c in two.choices] == ["length"] * 2

    events = list(client.chat.completions.create(
        model=model, messages=ask, stream=True, stop=["one"], stream_options={"include_usage": True}
    ))
    pieces = [e.choices[0].delta.content for e in events if e.choices and e.choices[0].delta.content]
    assert pieces == ["three ", "two "], pieces
    assert events[-1].usage.completion_tokens == 2, events[-1]
    assert events[-2].choices[0].finish_reason == "stop", events[-2]

    for change, kind, param in [
        ({"model": "another"}, openai.NotFoundError, "model"),
        ({"presence_penalty": 0.5}, openai.BadRequestError, "presence_penalty"),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
    ]:
        try:
            client.chat.completions.create(**({"model": model, "messages": ask} | change))
        except kind as error:
            assert error.param == param, error
        else:
            raise AssertionError(f"{change} was not refused")
    try:
        client.with_options(api_key="wrong").models.list()
    except openai.AuthenticationError:
        pass
    else:
        raise AssertionError("a wrong key was let in")
    print(openai.__version__)


main(*sys.argv[1:])
