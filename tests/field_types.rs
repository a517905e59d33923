//! Fields that are more than values: media, conversations, code, thinking, tools. Each as input, in demonstrations and
//! in saved programs.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model;

use dspy::{
    adapter::XmlAdapter,
    prelude::*,
    value::{
        Audio, Code, Document, File, History, Image, Reasoning, ToolCall, ToolCalls, ToolSpec, lang::Python,
    },
};
use model::{Model, run};
use serde_json::{Value, json};

/// Say what they have in common.
#[signature]
struct Compare {
    #[input]
    pictures: Vec<Image>,
    #[input]
    sound: Audio,
    #[input]
    paper: File,
    #[input]
    source: Document,
    #[input]
    map: Option<Image>,
    #[output]
    answer: String,
}

fn compare(host: &str) -> Compare {
    Compare {
        pictures: vec![
            Image::from_url(&format!("https://{host}/1.png")).unwrap(),
            Image::from_bytes_as(b"GIF89a", "image/gif"),
        ],
        sound: Audio::from_bytes(b"RIFF", "wav"),
        paper: File::from_bytes(b"%PDF-1.7", "application/pdf").named("a.pdf"),
        source: Document::new(format!("found at {host}")).titled("Source"),
        map: None,
        answer: format!("the {host}"),
    }
}

/// The parts of `compare(host)` after the first header.
fn parts(host: &str, between: impl Fn(&str) -> String) -> Vec<Value> {
    let text = |text: String| json!({"type": "text", "text": text});
    vec![
        text("[1] ".into()),
        json!({"type": "image_url", "image_url": {"url": format!("https://{host}/1.png")}}),
        text("\n[2] ".into()),
        json!({"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}}),
        text(between("sound")),
        json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        text(between("paper")),
        json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjc=", "filename": "a.pdf"}}),
        text(between("source")),
        text(format!("Source\n\nfound at {host}")),
        text(format!("{}null", between("map"))),
    ]
}

#[test]
fn media_become_parts_of_the_message_where_they_stand() {
    run(async {
        let model = Model::script(&["[[ ## answer ## ]]\na cat\n\n[[ ## completed ## ]]"]).await;
        let program = Predict::<Compare>::new().lm(model.lm.clone()).demos([compare("demo")]);
        assert_eq!(program.forward(CompareInput::from(compare("call"))).await.unwrap().answer, "a cat");
        let asked = &model.asked()[0];
        assert_eq!(asked.roles(), ["system", "user", "assistant", "user"]);
        let header = |name: &str| format!("\n\n[[ ## {name} ## ]]\n");
        let mut demo = parts("demo", header);
        demo[0] = json!({"type": "text", "text": "[[ ## pictures ## ]]\n[1] "});
        assert_eq!(asked.body["messages"][1]["content"], json!(demo));
        assert_eq!(asked.texts("assistant"), ["[[ ## answer ## ]]\nthe demo\n\n[[ ## completed ## ]]"]);
        let mut call = parts("call", header);
        call[0] = json!({"type": "text", "text": "[[ ## pictures ## ]]\n[1] "});
        let sent = asked.body["messages"][3]["content"].as_array().unwrap();
        assert_eq!(sent[..sent.len() - 1], call[..call.len() - 1]);
        let last = sent.last().and_then(|part| part["text"].as_str()).unwrap();
        assert!(last.starts_with("\n\n[[ ## map ## ]]\nnull\n\nNow write"), "{last}");
    });
}

#[test]
fn media_stand_between_tags_too() {
    run(async {
        let model = Model::script(&["<answer>a cat</answer>"]).await;
        let program = Predict::<Compare>::new().lm(model.lm.clone()).adapter(XmlAdapter::new());
        assert_eq!(program.forward(CompareInput::from(compare("x"))).await.unwrap().answer, "a cat");
        let content = &model.asked()[0].body["messages"][1]["content"];
        let kinds: Vec<_> = content.as_array().unwrap().iter().filter_map(|p| p["type"].as_str()).collect();
        let media: Vec<_> = kinds.into_iter().filter(|kind| *kind != "text").collect();
        assert_eq!(media, ["image_url", "image_url", "input_audio", "file"]);
        assert_eq!(content[0], json!({"type": "text", "text": "<pictures>\n[1] "}));
        assert_eq!(content[4]["text"], "\n</pictures>\n\n<sound>\n");
    });
}

/// Keep up the conversation.
#[signature]
struct Talk {
    #[input]
    history: History,
    #[input]
    question: String,
    #[output]
    answer: String,
}

#[test]
fn a_conversation_becomes_turns() {
    run(async {
        let model = Model::script(&["[[ ## answer ## ]]\n6\n\n[[ ## completed ## ]]"]).await;
        let talk = |question: &str, answer: &str| Talk {
            history: History::new(),
            question: question.into(),
            answer: answer.into(),
        };
        let mut history = History::new();
        history.push(&json!({"question": "2 + 2?", "answer": "4"})).unwrap();
        history.push(&json!({"question": "And again?"})).unwrap();
        history.push(&json!({"answer": "4, as I said", "mood": "annoyed"})).unwrap();
        let program = Predict::<Talk>::new().lm(model.lm.clone()).demos([talk("1 + 1?", "2")]);
        let output = program.forward(TalkInput { history, question: "3 + 3?".into() }).await.unwrap();
        assert_eq!(output.answer, "6");
        let asked = &model.asked()[0];
        assert_eq!(
            asked.roles(),
            ["system", "user", "assistant", "user", "assistant", "user", "assistant", "user"]
        );
        let user = asked.texts("user");
        assert_eq!(user[1], "[[ ## question ## ]]\n2 + 2?");
        assert_eq!(user[2], "[[ ## question ## ]]\nAnd again?");
        assert!(user[3].starts_with("[[ ## question ## ]]\n3 + 3?\n\nNow write"), "{}", user[3]);
        assert_eq!(
            asked.texts("assistant")[1..],
            [
                "[[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]",
                "[[ ## answer ## ]]\n4, as I said\n\n[[ ## completed ## ]]"
            ]
        );
        // The field itself is nowhere to be seen.
        assert!(asked.texts("system").iter().chain(&user).all(|text| !text.contains("history")));
    });
}

#[test]
fn turns_are_written_in_the_format_of_the_call() {
    let mut history = History::new();
    history.push(&json!({"question": "2 + 2?", "answer": "4"})).unwrap();
    let input = || TalkInput { history: history.clone(), question: "3 + 3?".into() };
    let turns = |program: Predict<Talk>| -> Vec<String> {
        let messages = program.render(input()).unwrap();
        messages[1..3].iter().map(|m| m.content.text().to_owned()).collect()
    };
    let json = turns(Predict::new().adapter(JsonAdapter::new()));
    assert_eq!(json, ["[[ ## question ## ]]\n2 + 2?", "{\n  \"answer\": \"4\"\n}"]);
    let xml = turns(Predict::new().adapter(XmlAdapter::new()));
    assert_eq!(xml, ["<question>\n2 + 2?\n</question>", "<answer>\n4\n</answer>"]);
}

/// Mend the program.
#[signature]
struct Mend {
    #[input]
    broken: Code<Python>,
    #[input]
    tools: Vec<ToolSpec>,
    #[output]
    thoughts: Reasoning,
    #[output]
    mended: Code<Python>,
    #[output]
    calls: ToolCalls,
}

fn mend() -> Mend {
    let args = json!({"path": "a.py"}).as_object().cloned().unwrap();
    Mend {
        broken: Code::new("def f(:\n    pass"),
        tools: vec![ToolSpec::new("run", "Runs a file.", json!({"type": "object", "properties": {}}))],
        thoughts: Reasoning::new("a bracket\nis missing"),
        mended: Code::new("def f():\n    pass"),
        calls: ToolCalls(vec![ToolCall::new("run", args)]),
    }
}

#[test]
fn code_thoughts_and_calls_stand_in_demonstrations_as_they_are_wanted() {
    let messages = Predict::<Mend>::new().demos([mend()]).render(MendInput::from(mend())).unwrap();
    let texts: Vec<&str> = messages.iter().map(|m| m.content.text()).collect();
    // Code is given as it is, and asked for in a fence.
    let given = "[[ ## broken ## ]]\ndef f(:\n    pass\n\n[[ ## tools ## ]]\n";
    assert!(texts[1].starts_with(given) && texts[3].starts_with(given), "{}", texts[3]);
    assert!(texts[1].contains("Runs a file."));
    let expected = "[[ ## thoughts ## ]]\na bracket\nis missing\n\n\
                    [[ ## mended ## ]]\n```python\ndef f():\n    pass\n```\n\n\
                    [[ ## calls ## ]]\n";
    assert!(texts[2].starts_with(expected), "{}", texts[2]);
    let (_, calls) = texts[2].split_once("[[ ## calls ## ]]\n").unwrap();
    let calls: Value = serde_json::from_str(calls.split("\n\n[[").next().unwrap()).unwrap();
    assert_eq!(calls, json!({"tool_calls": [{"name": "run", "args": {"path": "a.py"}}]}));
}

#[test]
fn code_thoughts_and_calls_come_back_as_they_were_shown() {
    run(async {
        let model = Model::saying(|asked| asked.texts("assistant").pop().unwrap_or_default()).await;
        let program = Predict::<Mend>::new().lm(model.lm.clone()).repairs(0).demos([mend()]);
        for program in [
            program.clone().adapter(ChatAdapter::new().without_fallback()),
            program.clone().adapter(JsonAdapter::new()),
            program.adapter(XmlAdapter::new().without_fallback()),
        ] {
            let output = program.forward(MendInput::from(mend())).await.unwrap();
            let expected = MendOutput::from(mend());
            assert_eq!(serde_json::to_value(&output).unwrap(), serde_json::to_value(&expected).unwrap());
            assert_eq!(&*output.mended, "def f():\n    pass");
        }
    });
}

/// A program with one of each.
#[module]
struct Everything {
    compare: Predict<Compare>,
    talk: Predict<Talk>,
    mend: Predict<Mend>,
}

impl Everything {
    fn new() -> Self {
        Self { compare: Predict::new(), talk: Predict::new(), mend: Predict::new() }
    }

    /// All that would be sent.
    fn rendered(&self) -> Vec<String> {
        let mut history = History::new();
        history.push(&json!({"question": "q", "answer": "a"})).unwrap();
        let messages = [
            self.compare.render(CompareInput::from(compare("call"))).unwrap(),
            self.talk.render(TalkInput { history, question: "?".into() }).unwrap(),
            self.mend.render(MendInput::from(mend())).unwrap(),
        ];
        messages.iter().flat_map(|m| m.iter()).map(|m| format!("{m:?}")).collect()
    }
}

#[test]
fn demonstrations_of_every_type_survive_in_a_saved_program() {
    let mut history = History::new();
    history.push(&json!({"question": "0 + 1?", "answer": "1"})).unwrap();
    let talk = Talk { history, question: "1 + 1?".into(), answer: "2".into() };
    let program = Everything {
        compare: Predict::new().demos([compare("one"), compare("two")]),
        talk: Predict::new().demos([talk]),
        mend: Predict::new().demos([mend()]),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.json");
    program.save(&path).unwrap();
    let loaded = Everything::new().load(&path).unwrap();
    assert_eq!(loaded.rendered(), program.rendered());
    assert_ne!(loaded.rendered(), Everything::new().rendered());
    for ((_, one), (_, other)) in loaded.predictors().into_iter().zip(program.predictors()) {
        assert_eq!(one.demos(), other.demos());
    }
}

#[test]
fn media_that_dspy_saved_are_media_again() {
    let mut state = Everything::new().to_json().unwrap();
    let block = |block: Value| {
        format!("<<CUSTOM-TYPE-START-IDENTIFIER>>{}<<CUSTOM-TYPE-END-IDENTIFIER>>", json!([block]))
    };
    state["compare"]["demos"] = json!([{
        "pictures": [block(json!({"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}))],
        "sound": block(json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})),
        "paper": block(json!({"type": "file", "file": {"file_id": "file-1"}})),
        "source": "a plain text",
        "map": null,
        "answer": "yes",
    }]);
    let loaded = Everything::new().load_json(&state).unwrap();
    let messages = loaded.compare.render(CompareInput::from(compare("x"))).unwrap();
    let kinds: Vec<_> = messages[1].content.parts().iter().map(|(_, part)| part.kind).collect();
    assert_eq!(kinds, ["image", "audio", "file", "document"]);
}
