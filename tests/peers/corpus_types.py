"""The types of the reader's corpus as Python has them: those of `dspy-core/value/tests/corpus/types.rs`."""

from datetime import date, time
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, StringConstraints


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


def enum_of(name, *values):
    return Enum(name, {value: value for value in values})


Stance = enum_of("Stance", "strongly_agree", "agree", "neutral", "disagree", "strongly_disagree")
Relation = enum_of("Relation", "entailment", "contradiction", "neutral")
Spam = enum_of("Spam", "spam", "not_spam")
Safety = enum_of("Safety", "safe", "unsafe")
Urgency = enum_of("Urgency", "Emergency", "Urgent", "SemiUrgent", "NonUrgent")
Method = enum_of("Method", "GET", "POST", "PUT", "DELETE")


class Address(BaseModel):
    street: str
    city: str
    postal_code: str
    country: Optional[str] = None


class Party(BaseModel):
    name: str
    vat_id: Optional[str] = None
    address: Optional[Address] = None


class InvoiceLine(BaseModel):
    description: str
    quantity: float
    unit_price: float
    tax_rate: Optional[float] = None


class Invoice(BaseModel):
    number: str
    issued: date
    due: Optional[date] = None
    seller: Party
    buyer: Party
    lines: list[InvoiceLine]
    currency: str
    total: float
    paid: bool


class Job(BaseModel):
    company: str
    title: str
    start: str
    end: Optional[str] = None
    highlights: list[str] = []


class Resume(BaseModel):
    full_name: str
    headline: Optional[str] = None
    skills: list[str]
    jobs: list[Job]
    years_of_experience: U32


class Meeting(BaseModel):
    title: str
    date: date
    start: time
    end: Optional[time] = None
    attendees: list[str]
    location: Optional[str] = None


class Agenda(BaseModel):
    owner: str
    timezone: Optional[str] = None
    meetings: list[Meeting]


class Call(BaseModel):
    method: Method
    url: str
    headers: dict[str, str] = {}
    body: Optional[Any] = None
    timeout_ms: Optional[U32] = None


class Symptom(BaseModel):
    name: str
    severity: U8
    since_days: Optional[U32] = None


class Triage(BaseModel):
    urgency: Urgency
    symptoms: list[Symptom]
    red_flags: list[str]
    needs_ambulance: bool
    temperature_c: Optional[float] = None
    advice: str


class Ingredient(BaseModel):
    name: str
    amount: Optional[float] = None
    unit: Optional[str] = None


class Recipe(BaseModel):
    title: str
    servings: U32
    ingredients: list[Ingredient]
    steps: list[str]


class Judgement(BaseModel):
    reasoning: str
    verdict: Verdict
    score: float


class Weather(BaseModel):
    city: str
    unit: Optional[str] = None


class Email(BaseModel):
    to: list[str]
    subject: str
    body: str


class Search(BaseModel):
    query: str
    limit: Optional[U32] = None


class GetWeather(BaseModel):
    name: Literal["get_weather"]
    arguments: Weather


class SendEmail(BaseModel):
    name: Literal["send_email"]
    arguments: Email


class SearchCall(BaseModel):
    name: Literal["search"]
    arguments: Search


class Finish(BaseModel):
    name: Literal["finish"]


Tool = Annotated[Union[GetWeather, SendEmail, SearchCall, Finish], Field(discriminator="name")]


TYPES = {
    "Agenda": Agenda,
    "Call": Call,
    "Invoice": Invoice,
    "Judgement": Judgement,
    "Recipe": Recipe,
    "Relation": Relation,
    "Resume": Resume,
    "Safety": Safety,
    "Spam": Spam,
    "Stance": Stance,
    "Tool": Tool,
    "Triage": Triage,
    "Urgency": Urgency,
    "Vec<Tool>": list[Tool],
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
