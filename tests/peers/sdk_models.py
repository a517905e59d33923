"""Checks bodies of requests with the models of the providers' own clients, and builds answers with them.

    pip install openai anthropic google-genai cohere boto3
    python sdk_models.py < bodies.json > answers.json

`bodies.json` is a list of `{"wire": ..., "body": ...}`. Every member of a body must be one that the client knows, of the
type that it has there. Of Bedrock, the signatures of whole requests are computed again, and binary streams are read. Printed are, by wire, an answer and its events: the text "Hello" of 7 and 3 tokens, and a call of
`f` with `{"a": 1}`.
"""

import base64
import datetime
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from unittest import mock

try:
    import anthropic.types as a
    import cohere
    import google.genai.types as g
    import openai.types.chat as c
    import openai.types.responses as r
    from openai.types.chat import completion_create_params as chat_params
    from openai.types.responses import response_create_params as response_params
    from anthropic.types import message_create_params
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.eventstream import EventStream
    from botocore.parsers import create_parser
    from botocore.serialize import create_serializer
    from botocore.session import Session
    from botocore.validate import ParamValidator
    from pydantic import BaseModel, TypeAdapter
except ImportError as error:
    print(f"the clients of the providers cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)


def plain(value):
    """Lists and dictionaries all the way: iterators of pydantic check their items as they are taken."""
    if isinstance(value, BaseModel):
        return {k: plain(v) for k, v in value.model_dump(by_alias=True, exclude_unset=True).items()}
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) or isinstance(value, Iterator):
        return [plain(v) for v in value]
    if type(value).__name__ == "ValidatorIterator":
        return [plain(v) for v in value]
    return value


ADAPTERS = {}


def typed(kind, body):
    """A typed dictionary drops what it does not know: what comes out must be what went in."""
    # Iterators of pydantic need the adapter that they come from.
    adapter = ADAPTERS.setdefault(kind, TypeAdapter(kind))
    out = plain(adapter.validate_python(body))
    assert out == body, f"unknown members:\n{json.dumps(body)}\n{json.dumps(out)}"


def no_extra(model):
    """Models of Cohere let everything through, and remember what they do not know."""
    if isinstance(model, BaseModel):
        assert not model.model_extra, (type(model), model.model_extra)
        for name in type(model).model_fields:
            no_extra(getattr(model, name))
    elif isinstance(model, (list, tuple)):
        for item in model:
            no_extra(item)


def check_chat(body):
    kind = chat_params.CompletionCreateParamsStreaming if body.get("stream") else chat_params.CompletionCreateParamsNonStreaming
    typed(kind, body)


def check_responses(body):
    kind = response_params.ResponseCreateParamsStreaming if body.get("stream") else response_params.ResponseCreateParamsNonStreaming
    typed(kind, body)


def check_anthropic(body):
    # These parameters are taken by older models only, and the client has no types for them any more.
    body = {k: v for k, v in body.items() if k not in ("temperature", "top_p")}
    kind = message_create_params.MessageCreateParamsStreaming if body.get("stream") else message_create_params.MessageCreateParamsNonStreaming
    typed(kind, body)


def check_gemini(body):
    kinds = {
        "contents": list[g.Content],
        "systemInstruction": g.Content,
        "tools": list[g.Tool],
        "toolConfig": g.ToolConfig,
        "generationConfig": g.GenerationConfig,
        "safetySettings": list[g.SafetySetting],
    }
    for name, value in body.items():
        TypeAdapter(kinds[name]).validate_json(json.dumps(value))


def check_cohere(body):
    known = set(inspect.signature(cohere.ClientV2.chat).parameters) | {"stream"}
    assert set(body) <= known, set(body) - known
    roles = {
        "system": cohere.SystemChatMessageV2,
        "user": cohere.UserChatMessageV2,
        "assistant": cohere.AssistantChatMessageV2,
        "tool": cohere.ToolChatMessageV2,
    }
    for message in body["messages"]:
        no_extra(roles[message["role"]].model_validate(message))
    for tool in body.get("tools", []):
        no_extra(cohere.ToolV2.model_validate(tool))
    if "thinking" in body:
        no_extra(cohere.Thinking.model_validate(body["thinking"]))
    if "response_format" in body:
        no_extra(cohere.JsonObjectResponseFormatV2.model_validate(body["response_format"]))


BEDROCK = Session().get_service_model("bedrock-runtime")


def parameters(shape, value):
    """What the caller of the SDK would have given for this value of a body."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "list":
        return [parameters(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {name: parameters(shape.value, item) for name, item in value.items()}
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        assert set(value) <= set(shape.members), (shape.name, set(value) - set(shape.members))
        assert not shape.is_tagged_union or len(value) == 1, (shape.name, value)
        return {name: parameters(shape.members[name], item) for name, item in value.items()}
    return value


def check_bedrock(body):
    operation = BEDROCK.operation_model("Converse")
    given = {"modelId": "m", **parameters(operation.input_shape, body)}
    report = ParamValidator().validate(given, operation.input_shape)
    assert not report.has_errors(), report.generate_report()
    sent = create_serializer("rest-json").serialize_to_request(given, operation)
    assert json.loads(sent["body"]) == body, sent["body"]


def check_bedrock_signature(call):
    """The SDK signs the same request at the same time in the same way."""
    keys = Credentials("AKIDEXAMPLE", "the-secret", call["headers"].get("x-amz-security-token"))
    at = datetime.datetime.strptime(call["headers"]["x-amz-date"], "%Y%m%dT%H%M%SZ")
    signed = ("content-type", "x-amz-content-sha256")
    headers = {name: call["headers"][name] for name in signed}
    request = AWSRequest("POST", call["url"], headers, call["body"].encode())
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at.replace(tzinfo=datetime.timezone.utc)):
        botocore.auth.SigV4Auth(keys, "bedrock", "us-west-2").add_auth(request)
    ours, theirs = call["headers"]["authorization"], request.headers["Authorization"]
    assert ours.replace(", ", ",") == theirs.replace(", ", ","), (ours, theirs)


class Raw:
    """The bytes of a stream, as the SDK takes them."""

    def __init__(self, data):
        self.data = data

    def stream(self, decode_content=False, amt=None):
        yield from (self.data[i : i + 7] for i in range(0, len(self.data), 7))

    def close(self):
        pass


def read_frames(frames):
    output = BEDROCK.operation_model("ConverseStream").output_shape.members["stream"]
    parser = create_parser("rest-json")._event_stream_parser
    return list(EventStream(Raw(base64.b64decode(frames)), output, parser, "ConverseStream"))


def check_bedrock_stream(body):
    """The SDK finds in the frames the events that they were made of."""
    output = BEDROCK.operation_model("ConverseStream").output_shape.members["stream"]
    events = read_frames(body["frames"])
    expected = [parameters(output, event) for event in body["events"]]
    assert events == expected, (events, expected)


CHECKS = {
    "bedrock": check_bedrock,
    "bedrock_signature": check_bedrock_signature,
    "bedrock_stream": check_bedrock_stream,
    "openai_chat": check_chat,
    "openai_responses": check_responses,
    "anthropic": check_anthropic,
    "gemini": check_gemini,
    "cohere": check_cohere,
}


def dump(model):
    if isinstance(model, dict):
        return model
    return json.loads(model.model_dump_json(by_alias=True))


def chat():
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    base = {"id": "r1", "created": 0, "model": "m"}

    def whole(message, reason):
        choices = [{"index": 0, "finish_reason": reason, "logprobs": None, "message": {"role": "assistant", **message}}]
        return c.ChatCompletion.model_validate({**base, "object": "chat.completion", "choices": choices, "usage": usage})

    def piece(delta, reason=None):
        choices = [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}]
        return c.ChatCompletionChunk.model_validate({**base, "object": "chat.completion.chunk", "choices": choices})

    end = c.ChatCompletionChunk.model_validate({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return {
        "plain": whole({"content": "Hello", "refusal": None}, "stop"),
        "called": whole({"content": None, "refusal": None, "tool_calls": [call]}, "tool_calls"),
        "events": [piece({"role": "assistant", "content": "Hel"}), piece({"content": "lo"}), piece({}, "stop"), end],
        "called_events": [
            piece({"tool_calls": [{"index": 0, **call, "function": {"name": "f", "arguments": ""}}]}),
            piece({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}),
            piece({}, "tool_calls"),
            end,
        ],
    }


def responses():
    base = {
        "id": "r1", "created_at": 0, "model": "m", "object": "response", "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "status": "completed",
        "usage": {
            "input_tokens": 7, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10,
        },
    }
    text = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [text]}
    thought = {"type": "reasoning", "id": "rs1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "x"}
    call = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
    plain = r.Response.model_validate({**base, "output": [message]})
    called = r.Response.model_validate({**base, "output": [thought, call]})
    at = {"item_id": "i1", "output_index": 0, "sequence_number": 1}

    def piece(text):
        event = {"type": "response.output_text.delta", "content_index": 0, "delta": text, "logprobs": [], **at}
        return r.ResponseTextDeltaEvent.model_validate(event)

    def end(response):
        event = {"type": "response.completed", "sequence_number": 9, "response": response.model_dump()}
        return r.ResponseCompletedEvent.model_validate(event)

    arguments = {"type": "response.function_call_arguments.delta", "delta": '{"a": 1}', **at}
    thinking = {"type": "response.reasoning_summary_text.delta", "delta": "hm", "summary_index": 0, **at}
    return {
        "plain": plain,
        "called": called,
        "events": [piece("Hel"), piece("lo"), end(plain)],
        "called_events": [
            r.ResponseReasoningSummaryTextDeltaEvent.model_validate(thinking),
            r.ResponseFunctionCallArgumentsDeltaEvent.model_validate(arguments),
            end(called),
        ],
    }


def anthropic_messages():
    usage = {"input_tokens": 7, "output_tokens": 3}
    base = {"id": "r1", "type": "message", "role": "assistant", "model": "m"}
    call = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    start = a.RawMessageStartEvent.model_validate(
        {"type": "message_start", "message": {**base, "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}}
    )

    def block(index, content):
        return a.RawContentBlockStartEvent.model_validate({"type": "content_block_start", "index": index, "content_block": content})

    def delta(index, piece):
        return a.RawContentBlockDeltaEvent.model_validate({"type": "content_block_delta", "index": index, "delta": piece})

    def stop(index):
        return a.RawContentBlockStopEvent.model_validate({"type": "content_block_stop", "index": index})

    def end(reason):
        return [
            a.RawMessageDeltaEvent.model_validate(
                {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3}}
            ),
            a.RawMessageStopEvent.model_validate({"type": "message_stop"}),
        ]

    return {
        "plain": a.Message.model_validate({**base, "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "usage": usage}),
        "called": a.Message.model_validate({**base, "content": [thought, call], "stop_reason": "tool_use", "usage": usage}),
        "events": [
            start,
            block(0, {"type": "text", "text": ""}),
            delta(0, {"type": "text_delta", "text": "Hel"}),
            delta(0, {"type": "text_delta", "text": "lo"}),
            stop(0),
            *end("end_turn"),
        ],
        "called_events": [
            start,
            block(0, {"type": "thinking", "thinking": "", "signature": ""}),
            delta(0, {"type": "thinking_delta", "thinking": "hm"}),
            delta(0, {"type": "signature_delta", "signature": "s"}),
            stop(0),
            block(1, {**call, "input": {}}),
            delta(1, {"type": "input_json_delta", "partial_json": '{"a": 1}'}),
            stop(1),
            *end("tool_use"),
        ],
    }


def gemini():
    def piece(parts, reason=None):
        return g.GenerateContentResponse.model_validate({
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10},
            "modelVersion": "m",
            "responseId": "r1",
        })

    call = {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    thought = {"text": "hm", "thought": True}
    return {
        "plain": piece([{"text": "Hello"}], "STOP"),
        "called": piece([thought, call], "STOP"),
        "events": [piece([{"text": "Hel"}]), piece([{"text": "lo"}], "STOP")],
        "called_events": [piece([thought]), piece([call], "STOP")],
    }


def cohere_chat():
    usage = {"tokens": {"input_tokens": 7, "output_tokens": 3}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}

    def whole(reason, **message):
        answer = {"id": "r1", "finish_reason": reason, "message": {"role": "assistant", **message}, "usage": usage}
        return cohere.V2ChatResponse.model_validate(answer)

    started = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    events = TypeAdapter(cohere.V2ChatStreamResponse)

    def event(kind, **members):
        made = events.validate_python({"type": kind, **members})
        no_extra(made)
        return made

    return {
        "plain": whole("COMPLETE", content=[{"type": "text", "text": "Hello"}]),
        "called": whole("TOOL_CALL", content=[{"type": "thinking", "thinking": "hm"}], tool_calls=[call]),
        "events": [
            event("message-start", id="r1", delta={"message": {"role": "assistant"}}),
            event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}}),
            event("content-delta", index=0, delta={"message": {"content": {"text": "Hel"}}}),
            event("content-delta", index=0, delta={"message": {"content": {"text": "lo"}}}),
            event("content-end", index=0),
            event("message-end", delta={"finish_reason": "COMPLETE", "usage": usage}),
        ],
        "called_events": [
            event("message-start", id="r1", delta={"message": {"role": "assistant"}}),
            event("content-start", index=0, delta={"message": {"content": {"type": "thinking", "thinking": ""}}}),
            event("content-delta", index=0, delta={"message": {"content": {"thinking": "hm"}}}),
            event("content-end", index=0),
            event("tool-call-start", index=0, delta={"message": {"tool_calls": started}}),
            event("tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": '{"a"'}}}}),
            event("tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": ": 1}"}}}}),
            event("tool-call-end", index=0),
            event("message-end", delta={"finish_reason": "TOOL_CALL", "usage": usage}),
        ],
    }


def bedrock():
    def whole(reason, *content):
        answer = {
            "output": {"message": {"role": "assistant", "content": list(content)}},
            "stopReason": reason,
            "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
            "metrics": {"latencyMs": 1},
        }
        shape = BEDROCK.operation_model("Converse").output_shape
        report = ParamValidator().validate(parameters(shape, answer), shape)
        assert not report.has_errors(), report.generate_report()
        return answer

    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    call = {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"a": 1}}}
    return {"plain": whole("end_turn", {"text": "Hello"}), "called": whole("tool_use", thought, call)}


def main():
    for row in json.load(sys.stdin):
        try:
            CHECKS[row["wire"]](row["body"])
        except Exception as error:
            raise AssertionError(f"{row['wire']}: {json.dumps(row['body'])}") from error
    made = {
        "openai_chat": chat(),
        "openai_responses": responses(),
        "anthropic": anthropic_messages(),
        "gemini": gemini(),
        "cohere": cohere_chat(),
        "bedrock": bedrock(),
    }
    dumped = {
        wire: {name: [dump(m) for m in made] if isinstance(made, list) else dump(made) for name, made in answers.items()}
        for wire, answers in made.items()
    }
    json.dump(dumped, sys.stdout)


main()
