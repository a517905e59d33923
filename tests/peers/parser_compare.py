"""The reader's corpus, read the way DSPy reads answers: json_repair, then pydantic.

    python -m venv venv && venv/bin/pip install json_repair pydantic
    DSPY_CORPUS_REPORT=/tmp/reader.json cargo test -p dspy-value --test reader_corpus -- --ignored
    venv/bin/python tests/peers/parser_compare.py /tmp/reader.json

Prints the pass rates by group as a table, beside those of the report if one is given; with --write, the table goes
into docs/src/parser-report.md, too; with --failures, every answer that the peer reads otherwise is shown. Of an error,
only that there is one is compared.
"""

import ast
import json
import math
import re
import sys
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import json_repair
from pydantic import TypeAdapter

from corpus_types import TYPES, Code

CORPUS = Path(__file__).parents[2] / "dspy-core" / "value" / "tests" / "corpus"
REPORT = Path(__file__).parents[2] / "docs" / "src" / "parser-report.md"
MARK = "<!-- table -->"


def parse_value(value, kind):
    """What DSPy's `parse_value` does, step by step."""
    if kind is str:
        return str(value)
    if kind is Code:
        fence = re.search(r"```[^\n]*\n(.*?)```", str(value), re.DOTALL)
        return fence.group(1).removesuffix("\n") if fence else str(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind.__members__[value] if value in kind.__members__ else kind(value)
    adapter = TypeAdapter(kind)
    if not isinstance(value, str):
        return adapter.validate_python(value)
    if get_origin(kind) in (Union, UnionType) and {str, NoneType} <= set(get_args(kind)):
        return adapter.validate_python(value)
    candidate = json_repair.loads(value)
    if candidate == "" and value != "":
        try:
            candidate = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            candidate = value
    return adapter.validate_python(candidate)


def read(case):
    """The value as plain JSON."""
    kind, text = TYPES[case["type"]], case["text"]
    if case.get("form") == "json":
        # An object that is repaired as a whole, as `JSONAdapter` does it, or a field of one.
        try:
            text = json.loads(text)
        except ValueError:
            whole_answer = text.lstrip("\ufeff \t\r\n").startswith(("{", "[", "```"))
            text = json_repair.loads(text) if whole_answer else json_repair.loads('{"value": ' + text)["value"]
    else:
        # The text between two markers is stripped.
        text = text.strip()
    value = parse_value(text, kind)
    return plain(TypeAdapter(Any if kind is Code else kind).dump_python(value, mode="json"), kind)


def plain(value, kind=None):
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return sorted(items) if get_origin(kind) is set else items
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(a, b):
    """Whether two values are equal, where 3 is 3.0 but True is not 1."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def judge(case):
    """What is wrong with what the peer reads, if anything is."""
    if "levels" in case.get("error", {}).get("says", ()):
        return None  # How deep values may nest is this library's own bound.
    try:
        value = read(case)
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None if "error" in case else f"refused: {first}"
    if "error" in case:
        return f"read {value!r}"
    if case["type"] == "f32" and isinstance(value, float):
        return None if math.isclose(value, case["value"], rel_tol=1e-6) else f"read {value!r}"
    return None if same(value, case["value"]) else f"read {value!r}"


def main():
    failures = "--failures" in sys.argv
    reports = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    ours = json.loads(Path(reports[0]).read_text()) if reports else {}
    rows, sums = [], [0] * 6
    for path in sorted(CORPUS.glob("*.jsonl")):
        group, cases = path.stem, [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        passed = 0
        for at, case in enumerate(cases, 1):
            wrong = judge(case)
            passed += wrong is None
            if wrong is not None and failures:
                wanted = json.dumps(case["value"]) if "value" in case else "an error"
                print(f"{group}.jsonl:{at} {case['type']} from {case['text'][:200]!r}\n    wanted {wanted}\n    {wrong}")
        mine = ours.get(group, {})
        own = [mine.get(key, 0) for key in ("reader", "refused", "wrong")]
        row = [len(cases), *own, passed, mine.get("serde_json", 0)]
        rows.append((group.replace("_", " "), row))
        sums = [a + b for a, b in zip(sums, row)]
    table = ["| answers | how many | right | refused | wrong | json_repair + pydantic | serde_json |"]
    table.append("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, (total, right, refused, wrong, peer, strict) in [*rows, ("**all**", sums)]:
        part = lambda count: f"{count} ({100 * count / total:.0f} %)"
        own = [part(right), str(refused), str(wrong)] if ours else ["", "", ""]
        cells = [*own, part(peer), part(strict) if ours else ""]
        table.append(f"| {name} | {total} | " + " | ".join(cells) + " |")
    versions = f"json_repair {version('json_repair')}, pydantic {version('pydantic')}, Python {sys.version.split()[0]}"
    text = "\n".join([*table, "", f"Versions: {versions}; serde_json as in `Cargo.lock`."])
    print(text)
    if "--write" in sys.argv:
        parts = REPORT.read_text().split(MARK)
        REPORT.write_text(MARK.join([parts[0], f"\n{text}\n", parts[2]]))


if __name__ == "__main__":
    main()
