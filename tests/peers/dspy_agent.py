"""Agents and their like with DSPy (Python): what it writes, and what it takes up of a file.

    python dspy_agent.py save FOLDER [own]
    python dspy_agent.py load PROGRAM.json

`save` writes `react.json`, `comparison.json` and `best_of_n.json`: programs that were compiled with a scripted model, so
that they have demonstrations, one of them with the steps of an agent. With `own`, their instructions are those of this
script instead of those that DSPy composes; so the files under `tests/data/dspy` were made. `load` loads an agent and
prints one JSON object: per predictor the instructions, the words of the fields, the demonstrations, and how many messages
DSPy would send. The programs are those of `tests/dspy_interop.rs`.
"""

import json
import os
import sys

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

try:
    import dspy
except ImportError as error:
    print(f"dspy cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)


class Towns(dspy.Signature):
    """Answer the question about towns."""

    question: str = dspy.InputField(desc="what to find out")
    answer: int = dspy.OutputField()
    source: str = dspy.OutputField(desc="where it stands")


def look_up(town: str, year: int = 2020) -> str:
    """Look up how many inhabitants a town had."""
    return f"{town} had 97,000 inhabitants in {year}."


def add(numbers: list[float]) -> float:
    """Add numbers."""
    return sum(numbers)


class Scripted(dspy.LM):
    """A model that looks the town up and answers."""

    def __init__(self):
        super().__init__("openai/scripted", api_key="none", cache=False)

    def forward(self, prompt=None, messages=None, **kwargs):
        raise NotImplementedError

    def __call__(self, prompt=None, messages=None, **kwargs):
        asked = messages[-1]["content"]
        last = asked.rsplit("[[ ## question ## ]]", 1)[-1]
        fields = {}
        if "next_tool_name" in last:
            seen = "observation_0" in last
            town = {"town": "Tartu", "year": 2010}
            fields["next_thought"] = "Now it is known: “97,000”." if seen else "The town is to be looked up."
            fields["next_tool_name"] = "finish" if seen else "look_up"
            fields["next_tool_args"] = "{}" if seen else json.dumps(town)
        else:
            if "`rationale`" in last or "[[ ## rationale ## ]]" in last:
                fields["rationale"] = "Both attempts agree."
            if "[[ ## reasoning ## ]]" in last:
                fields["reasoning"] = "It was looked up."
            fields["answer"], fields["source"] = "97000", "the gazetteer"
        text = "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in fields.items())
        return [text + "[[ ## completed ## ]]"]


def agent():
    return dspy.ReAct(Towns, tools=[look_up, add], max_iters=5)


def compiled(program, inputs):
    row = dspy.Example(question="How many live in Tartu?", answer=97000, source="the gazetteer", **inputs)
    teleprompter = dspy.BootstrapFewShot(metric=lambda *_: True, max_bootstrapped_demos=1, max_labeled_demos=0)
    return teleprompter.compile(program, trainset=[row.with_inputs("question", *inputs)])


class Compare(dspy.Module):
    def __init__(self):
        super().__init__()
        self.compare = dspy.MultiChainComparison(Towns, M=2)

    def forward(self, question):
        attempts = [dspy.Prediction(rationale=f"I recall it {i}.", answer=97000, source="a map") for i in range(2)]
        return self.compare(attempts, question=question)


def own(program, words):
    for _, predictor in program.named_predictors():
        predictor.signature = predictor.signature.with_instructions(words)


def save(folder, with_own):
    programs = {
        "react": agent(),
        "comparison": Compare(),
        "best_of_n": dspy.BestOfN(dspy.ChainOfThought(Towns), 2, lambda args, pred: 1.0, 1.0),
    }
    written = []
    with dspy.context(lm=Scripted(), adapter=dspy.ChatAdapter()):
        for name, program in programs.items():
            if with_own:
                own(program, "Say how many live there.\n\nThe tools know it: `look_up`, `add`, `finish`.")
            program = compiled(program, {}) if name != "best_of_n" else program
            program.save(os.path.join(folder, f"{name}.json"))
            written.append(name)
    print(json.dumps({"version": dspy.__version__, "written": written}))


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
    }


def load(path):
    program = agent()
    program.load(path)
    found = {name: taken_up(predictor) for name, predictor in program.named_predictors()}
    with dspy.context(lm=Scripted(), adapter=dspy.ChatAdapter()):
        answer = program(question="How many live in Tartu?")
    print(json.dumps({"version": dspy.__version__, "predictors": found, "answer": answer.answer}))


if __name__ == "__main__":
    if sys.argv[1] == "save":
        save(sys.argv[2], "own" in sys.argv[3:])
    else:
        load(sys.argv[2])
