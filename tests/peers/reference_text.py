"""Tokenizers, chat templates, texts and conversations for `reference_models.py`."""

from __future__ import annotations

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

# What the tokenizers are trained on.
SENTENCES = [
    "The ferry leaves at seven in the morning and comes back before the evening.",
    "She put the letters into the drawer, closed it, and never opened it again.",
    "Was the parcel sent on Monday or on Tuesday? Nobody could say it for sure.",
    "He counted: one, two, three, four, five; then he started from the beginning.",
    "It's raining, they're late, we've waited, I'd leave, you'll see, I'm tired.",
    "Im Sommer öffnen die Läden früher; über Mittag schließen sie für zwei Stunden.",
    "Le café est fermé, mais la boulangerie d'à côté reste ouverte jusqu'à midi.",
    "def add(a, b):\n    # the sum of two numbers\n    return a + b\n\nprint(add(2, 3))",
    "In 2023 there were 1,284 visitors; in 2024 there were 3.5 times as many (4494).",
    "東京は雨です。明日は晴れるでしょう。 Привет, как дела? Всё хорошо.",
    "\t- first point\n\t- second point\n\n\n1. a\n2. b\r\n3. c",
]

# What is tokenized for comparison. `{eot}` stands for the token that ends a turn.
TEXTS = [
    "",
    " ",
    "Hello",
    " Hello world",
    "The ferry leaves at seven.",
    "two  spaces,   three    four\tand a tab",
    "line\nline\n\nline\r\n  indented\n",
    "It's they're WE'VE I'd you'll I'm 'quoted'",
    "1234567890 12 345 6.78 9,000",
    "über schließen Läden café cafe\u0301 \u212b \ufb01",
    "東京は雨です。 Привет, мир! नमस्ते \u200d",
    "🦀 family: 👩‍👩‍👧 flag: 🇨🇭",
    "before{eot}after",
    "{eot}",
    "  {eot}  \n{eot}x",
    "a<|not_a_token|>b </s",
    "trailing space ",
    "symbols: != == -> <= && || ... --- *** ### @#$%^&*()_+[]{}|;:\",.<>/?`~",
    "zero\u0000byte and \u00a0 hard space",
]

CONVERSATIONS = {
    "user": [{"role": "user", "content": "What leaves at seven?"}],
    "system": [
        {"role": "system", "content": "You answer in one word."},
        {"role": "user", "content": "What leaves at seven?"},
    ],
    "turns": [
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": "one\ntwo "},
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": "Wie weiter, <b>bitte</b>? \"x\" & 'y'"},
        {"role": "assistant", "content": "four 🦀"},
        {"role": "user", "content": "  and then?\n"},
    ],
    "thought": [
        {"role": "user", "content": "Think."},
        {"role": "assistant", "content": "<think>\nof what?\n</think>\n\nDone."},
        {"role": "user", "content": "Again."},
    ],
    "two users": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "assistant last": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    "nothing said": [{"role": "user", "content": ""}],
}

CHATML = """\
{%- if messages[0]['role'] != 'system' -%}
<|im_start|>system
You are there to help.<|im_end|>
{% endif -%}
{%- for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}
"""

HEADERS = """\
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] | trim %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set system = "" %}
    {%- set rest = messages %}
{%- endif %}
{%- if tools is not defined %}{% set tools = none %}{% endif %}
{#- The system message is always there. #}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{{- "Knowledge ends: " ~ (knowledge_date if knowledge_date is defined else "never") ~ "\\n\\n" + system + "<|eot_id|>" }}
{%- for message in rest %}
    {%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- elif message.tool_calls | length != 1 %}
        {{- raise_exception("one call at a time") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

INSTRUCT = """\
{{ bos_token }}{% set ns = namespace(system='', turn=0) %}
{%- if messages[0].role == "system" %}{% set ns.system = messages[0].content + "\\n\\n" %}{% endif %}
{%- for message in messages if message.role != "system" %}
    {%- if (message.role == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("user and assistant must take turns") }}
    {%- endif %}
    {%- if message.role == "user" %}
        {%- set ns.turn = ns.turn + 1 %}
        {{- "[INST] " ~ (ns.system if loop.last else "") ~ message.content ~ " [/INST]" }}
    {%- else %}
        {{- " " + message["content"].strip() + eos_token }}
    {%- endif %}
{%- endfor %}
"""

THINKING = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1, searching=true) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not (message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role in ["user", "system"] and not (loop.first and message.role == "system") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' ~ content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""

# How the pieces are cut before the merges: as Llama 3, Qwen 2 and SmolLM do it.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")


class Style:
    """A tokenizer with its special tokens and its template."""

    def __init__(self, name, pre, template, bos, eos, pad, special):
        self.name, self.pre, self.template = name, pre, template
        self.bos, self.eos, self.pad, self.special = bos, eos, pad, special


STYLES = {
    style.name: style
    for style in [
        Style("llama3", "llama-bpe", HEADERS, "<|begin_of_text|>", "<|eot_id|>", None,
              ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
        Style("qwen2", "qwen2", CHATML, None, "<|im_end|>", "<|endoftext|>",
              ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        Style("qwen3", "qwen2", THINKING, None, "<|im_end|>", "<|endoftext|>",
              ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        Style("smollm", "smollm", CHATML, "<|im_start|>", "<|im_end|>", "<|im_end|>",
              ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        Style("mistral", "default", INSTRUCT, "<s>", "</s>", None, ["<unk>", "<s>", "</s>"]),
    ]
}


def tokenizer(style: Style, vocab_size: int = 420) -> Tokenizer:
    """A tokenizer of this style, trained on the sentences."""
    if style.name == "mistral":
        return sentencepiece_like(style, vocab_size)
    made = Tokenizer(models.BPE(ignore_merges=style.name == "llama3"))
    if style.name == "llama3":
        split = pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated")
    elif style.name == "smollm":
        split = pre_tokenizers.Digits(individual_digits=True)
    else:
        made.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    by_regex = style.name == "smollm"
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=by_regex)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    made.decoder = decoders.ByteLevel()
    # Llama's and Qwen's special tokens come after the others.
    after = style.name != "smollm"
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - (len(style.special) if after else 0),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[] if after else special(style),
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES, trainer)
    if after:
        made.add_special_tokens(special(style))
    if style.name == "llama3":
        bos = (style.bos, made.token_to_id(style.bos))
        made.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{style.bos} $A", pair=f"{style.bos} $A {style.bos}:1 $B:1", special_tokens=[bos]
            ),
        ])
    else:
        made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def sentencepiece_like(style: Style, vocab_size: int) -> Tokenizer:
    """The form that SentencePiece models of Llama 2 and Mistral have in `tokenizer.json`."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)
    ])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size + 200,
        special_tokens=special(style) + [AddedToken(f"<0x{b:02X}>", special=False) for b in range(256)],
        show_progress=False,
    )
    made.train_from_iterator(SENTENCES, trainer)
    bos = (style.bos, made.token_to_id(style.bos))
    made.post_processor = processors.TemplateProcessing(
        single=f"{style.bos} $A", pair=f"{style.bos} $A {style.bos}:1 $B:1", special_tokens=[bos]
    )
    return made


def special(style: Style) -> list[AddedToken]:
    return [AddedToken(token, special=True, normalized=False) for token in style.special]
