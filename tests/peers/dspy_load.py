"""Loads a program file with DSPy (Python), tells what it took up, and saves it again.

    python dspy_load.py PROGRAM.json AGAIN.json

Prints one JSON object: per predictor the instructions, the words of the fields and the demonstrations, and the
messages that DSPy would send. The program is the one of `tests/dspy_interop.rs`.
"""

import enum
import json
import sys

try:
    import dspy
    import pydantic
except ImportError as error:
    print(f"dspy cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)


class Sure(str, enum.Enum):
    HIGH = "high"
    LOW = "low"


class Place(pydantic.BaseModel):
    page: int
    line: int | None = None


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


class Qa(dspy.Module):
    def __init__(self):
        super().__init__()
        self.query = dspy.ChainOfThought(Query)
        self.answers = [dspy.Predict(Answer)]
        self.by_name = {"it's": dspy.Predict(Query), "plain": dspy.Predict(Query)}


def taken_up(predictor):
    signature = predictor.signature
    return {
        "instructions": signature.instructions,
        "fields": [
            [name, field.json_schema_extra["prefix"], field.json_schema_extra["desc"]]
            for name, field in signature.fields.items()
        ],
        "demos": [dict(demo) for demo in predictor.demos],
        "messages": len(
            dspy.ChatAdapter().format(signature, predictor.demos, {n: "x" for n in signature.input_fields})
        ),
    }


def main(path, again):
    program = Qa()
    program.load(path)
    found = {name: taken_up(predictor) for name, predictor in program.named_predictors()}
    print(json.dumps({"version": dspy.__version__, "predictors": found}))
    program.query.predict.signature = program.query.predict.signature.with_instructions("Look it up.\n\nTwo “lines”.")
    program.answers[0].demos.append(
        dspy.Example(
            augmented=True, context=["p"], question="é?", answer="yes", sure=Sure.LOW, places=[Place(page=2)]
        ).with_inputs("context", "question")
    )
    program.query.predict.lm = dspy.LM("openai/gpt-4o-mini", api_key="sk-secret", temperature=0.5, max_tokens=50)
    program.save(again)


if __name__ == "__main__":
    main(*sys.argv[1:])
