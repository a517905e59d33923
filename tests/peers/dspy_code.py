"""Saves the modules of DSPy (Python) that write code, and loads those that were saved by this library.

    python dspy_code.py FOLDER

Writes `NAME.dspy.json` into the folder, loads `NAME.json` from it, and prints the instructions that it took up as JSON.
"""

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

try:
    import dspy
except ImportError as error:
    print(f"dspy cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)
if not hasattr(dspy, "RLM"):
    print(f"DSPy {dspy.__version__} has no RLM, and other paths in ProgramOfThought", file=sys.stderr)
    sys.exit(77)


def look_up(town: str) -> int:
    """Look up a town."""
    return len(town)


folder = sys.argv[1]
signature = "question -> answer: int"
modules = {
    "ProgramOfThought": lambda: dspy.ProgramOfThought(signature),
    "CodeAct": lambda: dspy.CodeAct(signature, tools=[look_up]),
    "RLM": lambda: dspy.RLM(signature),
}
found = {}
for name, make in modules.items():
    make().save(os.path.join(folder, f"{name}.dspy.json"))
    module = make()
    module.load(os.path.join(folder, f"{name}.json"))
    found[name] = {path: p.signature.instructions for path, p in module.named_predictors()}
print(json.dumps(found))
