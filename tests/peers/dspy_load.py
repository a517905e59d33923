"""Loads a program file with DSPy (Python), tells what it took up, and saves it again.

    python dspy_load.py PROGRAM.json AGAIN.json

Prints one JSON object: per predictor the instructions, the words of the fields, the demonstrations, the model, and of
the messages that DSPy would send their number and their parts that are no text. The program is the one of
`tests/dspy_interop.rs`. Works with DSPy from 2.6 on; types that a version does not have are texts there.
"""

import enum
import json
import os
import sys

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

try:
    import dspy
    import pydantic
except ImportError as error:
    print(f"dspy cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)


def library(name):
    """A type of DSPy, or `None` where this version does not have it."""
    for module in (dspy, getattr(dspy, "experimental", None)):
        if hasattr(module, name):
            return getattr(module, name)
    return None


File, Document = library("File"), library("Document")


class Sure(str, enum.Enum):
    HIGH = "high"
    LOW = "low"


class Place(pydantic.BaseModel):
    page: int
    line: int | None = None


class Page(pydantic.BaseModel):
    scan: dspy.Image | None = None
    notes: list[str] = []


class Query(dspy.Signature):
    """Write a query."""

    question: str = dspy.InputField()
    query: str = dspy.OutputField(desc="what to look for")


class Answer(dspy.Signature):
    """Answer from the passages."""

    context: list[str] = dspy.InputField(desc="passages that may hold the answer")
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()
    sure: Sure = dspy.OutputField()
    places: list[Place] = dspy.OutputField()


class Look(dspy.Signature):
    """Look and listen."""

    picture: dspy.Image = dspy.InputField()
    others: list[dspy.Image] = dspy.InputField()
    sound: dspy.Audio = dspy.InputField()
    paper: File or str = dspy.InputField()
    source: Document or str = dspy.InputField()
    pages: list[Page] = dspy.InputField()
    caption: str = dspy.OutputField()


class Qa(dspy.Module):
    def __init__(self):
        super().__init__()
        self.query = dspy.ChainOfThought(Query)
        self.answers = [dspy.Predict(Answer)]
        self.by_name = {"it's": dspy.Predict(Query), "plain": dspy.Predict(Query)}
        self.look = dspy.Predict(Look)


def parts(message):
    content = message["content"]
    return [] if isinstance(content, str) else [part for part in content if part["type"] != "text"]


def model(lm):
    if lm is None:
        return None
    kwargs = {name: value for name, value in lm.kwargs.items() if name != "api_key"}
    return {
        "model": lm.model,
        "type": lm.model_type,
        "cache": lm.cache,
        "retries": lm.num_retries,
        "finetuning_model": lm.finetuning_model,
        "options": kwargs,
    }


def taken_up(predictor):
    signature = predictor.signature
    messages = dspy.ChatAdapter().format(signature, predictor.demos, {n: "x" for n in signature.input_fields})
    return {
        "instructions": signature.instructions,
        "fields": [
            [name, field.json_schema_extra["prefix"], field.json_schema_extra["desc"]]
            for name, field in signature.fields.items()
        ],
        "demos": [dict(demo) for demo in predictor.demos],
        "messages": len(messages),
        "parts": [part for message in messages for part in parts(message)],
        "lm": model(predictor.lm),
    }


def change(program):
    """Learns something of its own."""
    program.query.predict.signature = program.query.predict.signature.with_instructions("Look it up.\n\nTwo “lines”.")
    program.query.predict.demos.append(dspy.Example(question="no query", reasoning=None, query=None))
    program.answers[0].demos.append(
        dspy.Example(
            augmented=True, context=["p"], question="é?", answer="yes", sure=Sure.LOW, places=[Place(page=2)]
        ).with_inputs("context", "question")
    )
    secret = {"api_key": "sk-secret", "api_base": "http://127.0.0.1:9/v1"}
    program.query.predict.lm = dspy.LM("openai/gpt-4o-mini", temperature=0.5, max_tokens=50, top_p=0.9, **secret)
    program.answers[0].lm = dspy.LM(
        "anthropic/none", temperature=0.25, max_tokens=60, cache=False, num_retries=2, top_k=4,
        finetuning_model="anthropic/base", **secret,
    )
    gif = "data:image/gif;base64,R0lGODlh"
    program.look.demos.append(
        dspy.Example(
            picture=dspy.Image(url=gif),
            others=[dspy.Image(url=gif), dspy.Image(url=gif)],
            # 2.6 cannot make one of its own data.
            sound=dspy.Audio.model_construct(data="UklGRg==", audio_format="wav"),
            paper=File(file_data="data:application/pdf;base64,JVBERi0=", filename="it's.pdf")
            if File
            else "data:application/pdf;base64,JVBERi0=",
            source=Document(data="it's \"so\"\n", title="T") if Document else "it's \"so\"\n",
            pages=[Page(scan=dspy.Image(url=gif), notes=["n"]), Page()],
            caption="it's",
        )
    )


def main(path, again):
    program = Qa()
    program.load(path)
    found = {name: taken_up(predictor) for name, predictor in program.named_predictors()}
    has = {"file": File is not None, "document": Document is not None}
    print(json.dumps({"version": dspy.__version__, "has": has, "predictors": found}))
    if again:
        change(program)
        program.save(again)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
