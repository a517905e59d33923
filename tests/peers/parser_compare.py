"""The reader's corpus, read the way DSPy reads answers: json_repair, then pydantic.

    python -m venv venv && venv/bin/pip install json_repair pydantic
    DSPY_CORPUS_REPORT=/tmp/reader.json cargo test -p dspy-core --test reader_corpus -- --ignored
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
from datetime import date, time
from enum import Enum
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin

import json_repair
from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

CORPUS = Path(__file__).parents[2] / "dspy-core" / "tests" / "corpus"
REPORT = Path(__file__).parents[2] / "docs" / "src" / "parser-report.md"
MARK = "<!-- table -->"


def whole(least, most):
    return Annotated[int, Field(ge=least, le=most)]


I8, I64 = whole(-(2**7), 2**7 - 1), whole(-(2**63), 2**63 - 1)
U8, U16, U32, U64 = (whole(0, 2**bits - 1) for bits in (8, 16, 32, 64))
F32 = Annotated[float, Field(ge=-3.4028235677973366e38, le=3.4028235677973366e38)]
Char = Annotated[str, StringConstraints(min_length=1, max_length=1)]
IpAddr = IPv4Address | IPv6Address
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), AfterValidator(str.lower)]


class Mood(Enum):
    positive = "positive"
    negative = "negative"
    neutral = "neutral"
    mixed = "mixed"


class Priority(Enum):
    Low = "low"
    Medium = "medium"
    High = "high"
    VeryHigh = "very_high"


class Topic(Enum):
    Billing = "Billing & Payments"
    Technical = "Technical Support"
    Sales = "Sales"
    Other = "Other"

    @classmethod
    def _missing_(cls, value):
        names = {"billing": cls.Billing, "tech": cls.Technical, "support": cls.Technical}
        return names.get(value)


class Verdict(Enum):
    Supported = "SUPPORTED"
    Refuted = "REFUTED"
    NotEnoughInfo = "NOT_ENOUGH_INFO"


class Pet(Enum):
    Cat = "Cat"
    Dog = "Dog"
    GuineaPig = "GuineaPig"
    Pig = "Pig"


class Grade(Enum):
    A = "A"
    APlus = "A+"
    B = "B"
    C = "C"


class Person(BaseModel):
    name: str
    age: U32
    email: Optional[str] = None


class Item(BaseModel):
    sku: str
    price: float
    quantity: U32


class Order(BaseModel):
    id: str
    items: list[Item]
    paid: bool
    note: Optional[str] = None


class Profile(BaseModel):
    firstName: str
    lastName: str
    emailAddress: str = Field(validation_alias=AliasChoices("emailAddress", "mail", "e-mail"))
    isActive: bool


class Settings(BaseModel):
    name: str
    retries: U32 = 3
    verbose: bool = False
    tags: list[str] = []


class Point(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: I64
    y: I64


class Article(BaseModel):
    title: str
    summary: str
    keywords: list[str]
    sentiment: Mood
    confidence: float


class Snippet(BaseModel):
    language: str
    code: str


class Measure(BaseModel):
    label: str
    value: float
    unit: Optional[str] = None


class Server(BaseModel):
    host: IpAddr
    port: U16
    version: Version
    since: Optional[date] = None


class Event(BaseModel):
    title: str
    date: date
    start: Optional[time] = None
    all_day: bool


class Contact(BaseModel):
    name: Optional[str] = None
    phone: Optional[str] = None
    age: Optional[U32] = None
    birthday: Optional[date] = None
    mood: Optional[Mood] = None


class Review(BaseModel):
    stars: U8
    mood: Mood
    topic: Topic
    text: str


class Radius(BaseModel):
    radius: float


class Sides(BaseModel):
    width: float
    height: float


class Tagged(BaseModel):
    """A variant with its value: an object of one key, as serde writes it."""

    model_config = ConfigDict(extra="forbid")


class Circle(Tagged):
    Circle: Radius


class Rect(Tagged):
    Rect: Sides


class Square(Tagged):
    Square: float


class Line(Tagged):
    Line: tuple[float, float]


Shape = Union[Literal["Empty"], Circle, Rect, Square, Line]


class Click(BaseModel):
    type: Literal["click"]
    x: I64
    y: I64


class KeyPress(BaseModel):
    type: Literal["key_press"]
    key: str
    count: Optional[U32] = None


class Quit(BaseModel):
    type: Literal["quit"]


Input = Annotated[Union[Click, KeyPress, Quit], Field(discriminator="type")]


class Delta(BaseModel):
    dx: I64
    dy: I64


class Say(BaseModel):
    kind: Literal["Say"]
    data: str


class Move(BaseModel):
    kind: Literal["Move"]
    data: Delta


class Wait(BaseModel):
    kind: Literal["Wait"]


Action = Annotated[Union[Say, Move, Wait], Field(discriminator="kind")]


class Ends(BaseModel):
    left: I64
    right: I64


Loose = Union[bool, I64, float, str, list[I64], Ends]


class ById(BaseModel):
    id: U64


class ByName(BaseModel):
    name: str


Target = Union[ById, ByName]


class Meta(BaseModel):
    author: str
    year: U32


class Post(Meta):
    id: U32
    published: bool


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Tree(BaseModel):
    label: str
    children: list["Tree"] = []


class Num(Tagged):
    num: float


class Neg(Tagged):
    neg: "Expr"


class Add(Tagged):
    add: tuple["Expr", "Expr"]


Expr = Union[Num, Neg, Add]
Neg.model_rebuild()
Add.model_rebuild()


class Chain(BaseModel):
    value: I64
    next: Optional["Chain"] = None


class Code:
    """Text whose first fence is taken off, as that of DSPy's `Code` is."""


TYPES = {
    "String": str,
    "bool": bool,
    "char": Char,
    "i8": I8,
    "i64": I64,
    "u8": U8,
    "u32": U32,
    "u64": U64,
    "f32": F32,
    "f64": float,
    "Value": Any,
    "IpAddr": IpAddr,
    "Date": date,
    "Time": time,
    "Version": Version,
    "Color": Color,
    "Score": float,
    "Python": Code,
    "Rust": Code,
    "Option<String>": Optional[str],
    "Option<i64>": Optional[I64],
    "Option<f64>": Optional[float],
    "Option<bool>": Optional[bool],
    "Option<Mood>": Optional[Mood],
    "Option<Date>": Optional[date],
    "Option<Person>": Optional[Person],
    "Option<Vec<String>>": Optional[list[str]],
    "Vec<String>": list[str],
    "Vec<i64>": list[I64],
    "Vec<f64>": list[float],
    "Vec<bool>": list[bool],
    "Vec<Mood>": list[Mood],
    "Vec<Date>": list[date],
    "Vec<Person>": list[Person],
    "Vec<Vec<i64>>": list[list[I64]],
    "Vec<Option<i64>>": list[Optional[I64]],
    "Set<String>": set[str],
    "(String, i64)": tuple[str, I64],
    "[f64; 3]": tuple[float, float, float],
    "Vec<(String, i64)>": list[tuple[str, I64]],
    "Map<String, i64>": dict[str, I64],
    "Map<String, String>": dict[str, str],
    "Map<String, Vec<String>>": dict[str, list[str]],
    "Map<u32, String>": dict[U32, str],
    "Map<bool, i64>": dict[bool, I64],
    "Map<char, u32>": dict[Char, U32],
    "Map<Mood, f64>": dict[Mood, float],
    "Map<Date, f64>": dict[date, float],
    "Map<String, Person>": dict[str, Person],
    "Person": Person,
    "Item": Item,
    "Order": Order,
    "Profile": Profile,
    "Settings": Settings,
    "Point": Point,
    "Article": Article,
    "Snippet": Snippet,
    "Measure": Measure,
    "Server": Server,
    "Event": Event,
    "Contact": Contact,
    "Review": Review,
    "Mood": Mood,
    "Priority": Priority,
    "Topic": Topic,
    "Verdict": Verdict,
    "Pet": Pet,
    "Grade": Grade,
    "Shape": Shape,
    "Vec<Shape>": list[Shape],
    "Input": Input,
    "Vec<Input>": list[Input],
    "Action": Action,
    "Loose": Loose,
    "Target": Target,
    "Post": Post,
    "Extra": Extra,
    "Tree": Tree,
    "Expr": Expr,
    "Chain": Chain,
}


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
    rows, sums = [], [0, 0, 0, 0]
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
        row = [len(cases), mine.get("reader", 0), passed, mine.get("serde_json", 0)]
        rows.append((group.replace("_", " "), row))
        sums = [a + b for a, b in zip(sums, row)]
    table = ["| answers | how many | this library | json_repair + pydantic | serde_json |"]
    table.append("| --- | ---: | ---: | ---: | ---: |")
    for name, (total, *passed) in [*rows, ("**all**", sums)]:
        cells = [f"{count} ({100 * count / total:.0f} %)" for count in passed]
        table.append(f"| {name} | {total} | " + " | ".join(cells if ours else ["", cells[1], ""]) + " |")
    versions = f"json_repair {version('json_repair')}, pydantic {version('pydantic')}, Python {sys.version.split()[0]}"
    text = "\n".join([*table, "", f"Versions: {versions}; serde_json as in `Cargo.lock`."])
    print(text)
    if "--write" in sys.argv:
        parts = REPORT.read_text().split(MARK)
        REPORT.write_text(MARK.join([parts[0], f"\n{text}\n", parts[2]]))


if __name__ == "__main__":
    main()
