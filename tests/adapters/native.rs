//! What providers do apart from the text: structured output, tools, reasoning, several answers.

use dspy::{
    lm::{Cache, Capabilities},
    prelude::*,
    value::{Citations, Document, Reasoning, ToolCalls, ToolSpec},
};
use serde_json::{Value, json};

use super::model::{Model, Reply, choices, run};

/// Find the parcel.
#[signature]
#[derive(PartialEq)]
struct Find {
    #[input]
    request: String,
    #[output]
    #[schemars(range(min = 1))]
    number: u32,
    /// how it travels
    #[output]
    way: Way,
}

#[value]
#[derive(PartialEq)]
enum Way {
    Road,
    Rail,
}

const JSON: &str = r#"{"number": 7, "way": "Rail"}"#;
const CHAT: &str = "[[ ## number ## ]]\n7\n\n[[ ## way ## ]]\nRail\n\n[[ ## completed ## ]]";

fn found() -> FindOutput {
    FindOutput { number: 7, way: Way::Rail }
}

/// The same model, known to have these capabilities.
fn with(model: &Model, capabilities: Capabilities) -> LM {
    let lm = LM::builder("openai/test").api_base(model.server.api_base()).cache(Cache::off()).retries(0);
    lm.capabilities(capabilities).build().unwrap()
}

/// What was asked of the provider's response format.
async fn format(adapter: impl Adapter, capabilities: Capabilities) -> Value {
    let model = Model::script(&[JSON]).await;
    let program = Predict::<Find>::new().lm(with(&model, capabilities)).adapter(adapter);
    assert_eq!(program.forward("my parcel".into()).await.unwrap(), found());
    model.asked()[0].body["response_format"].clone()
}

#[test]
fn json_is_forced_where_the_model_has_it() {
    run(async {
        let none = Capabilities::none();
        let schema = format(JsonAdapter::new(), Capabilities::all()).await;
        assert_eq!(schema["type"], "json_schema");
        assert_eq!(
            (&schema["json_schema"]["name"], &schema["json_schema"]["strict"]),
            (&json!("Find"), &json!(true))
        );
        let object = &schema["json_schema"]["schema"];
        assert_eq!((&object["type"], &object["additionalProperties"]), (&json!("object"), &json!(false)));
        assert_eq!(object["required"], json!(["number", "way"]));
        assert_eq!(object["properties"]["way"]["description"], "how it travels");
        let object = json!({"type": "json_object"});
        assert_eq!(format(JsonAdapter::new(), none.json_object(true)).await, object);
        assert_eq!(format(JsonAdapter::new(), none).await, Value::Null);
        assert_eq!(format(JsonAdapter::new().plain(), Capabilities::all()).await, Value::Null);
        assert_eq!(format(ChatAdapter::new(), Capabilities::all()).await, Value::Null);
    });
}

/// Free places.
#[signature]
struct Open {
    #[input]
    question: String,
    #[output]
    counts: std::collections::BTreeMap<String, u32>,
}

#[test]
fn a_map_is_asked_for_as_plain_json() {
    run(async {
        let model = Model::script(&[r#"{"counts": {"a": 1}}"#]).await;
        let program =
            Predict::<Open>::new().lm(with(&model, Capabilities::all())).adapter(JsonAdapter::new());
        assert_eq!(program.forward("how many?".into()).await.unwrap().counts["a"], 1);
        assert_eq!(model.asked()[0].body["response_format"], json!({"type": "json_object"}));
    });
}

/// Choose the tools for the task.
#[signature]
struct Choose {
    #[input]
    task: String,
    #[input]
    tools: Vec<ToolSpec>,
    #[output]
    remark: Option<String>,
    #[output]
    calls: ToolCalls,
}

fn tools() -> Vec<ToolSpec> {
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    vec![ToolSpec::new("weather", "Tells the weather.", parameters)]
}

fn choose(lm: LM) -> Predict<Choose> {
    Predict::new().lm(lm)
}

#[test]
fn tools_go_to_the_provider_and_calls_come_back() {
    run(async {
        let message = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}},
            {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}},
        ]});
        let model = Model::replying(move |_| choices(std::slice::from_ref(&message), "tool_calls")).await;
        let program = choose(with(&model, Capabilities::all()));
        let input = ChooseInput { task: "compare the weather".into(), tools: tools() };
        let output = program.forward(input).await.unwrap();
        let calls: Vec<_> =
            output.calls.iter().map(|c| (c.name.as_str(), c.args["city"].as_str().unwrap())).collect();
        assert_eq!(calls, [("weather", "Rome"), ("weather", "Oslo")]);
        assert_eq!((output.calls[1].id.as_deref(), output.remark), (Some("c2"), None));
        let asked = &model.asked()[0];
        assert_eq!(asked.body["tools"][0]["function"]["name"], "weather");
        assert_eq!(asked.body["tools"][0]["function"]["parameters"]["required"], json!(["city"]));
        // The prompt speaks of neither.
        let prompt = asked.texts("system").concat() + &asked.last();
        assert!(!prompt.contains("weather.") && !prompt.contains("calls"), "{prompt}");
    });
}

#[test]
fn calls_that_were_missing_come_back_from_the_provider_too() {
    run(async {
        let call = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}},
        ]});
        let model = Model::replying(move |asked| match asked.number {
            0 => Reply::completion("[[ ## remark ## ]]\nI shall look.\n\n[[ ## completed ## ]]"),
            _ => choices(std::slice::from_ref(&call), "tool_calls"),
        })
        .await;
        let program = choose(with(&model, Capabilities::all()));
        let output = program.forward(ChooseInput { task: "weather".into(), tools: tools() }).await.unwrap();
        assert_eq!(
            (output.remark.as_deref(), output.calls[0].name.as_str()),
            (Some("I shall look."), "weather")
        );
        assert_eq!(model.asked()[1].body["tools"][0]["function"]["name"], "weather");
    });
}

#[test]
fn tools_stand_in_the_prompt_of_a_model_that_takes_none() {
    run(async {
        let answer = "[[ ## calls ## ]]\n[{\"name\": \"weather\", \"args\": {\"city\": \"Rome\"}}]\n\n[[ ## completed ## ]]";
        let model = Model::script(&[answer]).await;
        let program = choose(with(&model, Capabilities::none()));
        let output = program.forward(ChooseInput { task: "weather".into(), tools: tools() }).await.unwrap();
        assert_eq!(
            (output.calls[0].name.as_str(), &output.calls[0].args["city"]),
            ("weather", &json!("Rome"))
        );
        let asked = &model.asked()[0];
        assert_eq!(asked.body["tools"], Value::Null);
        assert!(asked.last().contains("Tells the weather."), "{}", asked.last());
        assert!(asked.last().contains("[[ ## calls ## ]]"), "{}", asked.last());
    });
}

/// Answer.
#[signature]
struct Think {
    #[input]
    question: String,
    #[output]
    thoughts: Reasoning,
    #[output]
    answer: String,
}

fn thinking(content: &'static str, reasoning: Option<&'static str>) -> impl Fn() -> Reply {
    move || {
        choices(&[json!({"role": "assistant", "content": content, "reasoning_content": reasoning})], "stop")
    }
}

#[test]
fn a_model_that_thinks_on_its_own_is_not_asked_to() {
    run(async {
        let answer = "[[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]";
        for (reasoning, thoughts) in [(Some("2 and 2"), "2 and 2"), (None, "")] {
            let reply = thinking(answer, reasoning);
            let model = Model::replying(move |_| reply()).await;
            let program = Predict::<Think>::new().lm(with(&model, Capabilities::all()));
            let p = program.call("2 + 2?").await.unwrap();
            assert_eq!((p.thoughts.as_str(), p.answer.as_str(), model.count()), (thoughts, "4", 1));
            let asked = &model.asked()[0];
            assert!(
                !asked.texts("system").concat().contains("thoughts") && !asked.last().contains("thoughts")
            );
        }
    });
}

#[test]
fn another_model_writes_its_thoughts_into_the_answer() {
    run(async {
        let answer = "[[ ## thoughts ## ]]\n2 and 2\n\n[[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]";
        let model = Model::script(&[answer]).await;
        let p = Predict::<Think>::new().lm(with(&model, Capabilities::none())).call("2 + 2?").await.unwrap();
        assert_eq!((p.thoughts.as_str(), p.answer.as_str()), ("2 and 2", "4"));
        assert!(model.asked()[0].last().contains("[[ ## thoughts ## ]]"));
    });
}

#[test]
fn a_chain_of_thought_takes_the_reasoning_that_the_provider_gives() {
    run(async {
        let reply = thinking(
            "[[ ## number ## ]]\n7\n\n[[ ## way ## ]]\nRail\n\n[[ ## completed ## ]]",
            Some("it is heavy"),
        );
        let model = Model::replying(move |_| reply()).await;
        let p = ChainOfThought::<Find>::new().lm(model.lm.clone()).call("my parcel").await.unwrap();
        assert_eq!((p.reasoning.as_str(), p.number, model.count()), ("it is heavy", 7, 1));
    });
}

#[test]
fn of_several_answers_the_first_that_can_be_read_whole_counts() {
    run(async {
        let bad = "[[ ## number ## ]]\n7";
        for (answers, requests, n) in [(vec![bad, "nothing\n\nat all", CHAT], 1, 3), (vec![CHAT, bad], 1, 2)]
        {
            let messages: Vec<Value> =
                answers.iter().map(|a| json!({"role": "assistant", "content": a})).collect();
            let model = Model::replying(move |_| choices(&messages, "stop")).await;
            let program = Predict::<Find>::new().lm(model.lm.clone()).options(Options::new().n(n));
            let p = program.call("my parcel").await.unwrap();
            assert_eq!((p.output(), model.count()), (&found(), requests));
            assert_eq!(model.asked()[0].body["n"], n);
            assert!(p.trace().iter().all(|step| step.retries.is_empty()));
        }
    });
}

#[test]
fn when_none_of_several_answers_is_whole_the_first_is_repaired() {
    run(async {
        let messages = ["[[ ## number ## ]]\n7", "[[ ## number ## ]]\n8"]
            .map(|text| json!({"role": "assistant", "content": text}));
        let model = Model::replying(move |asked| match asked.number {
            0 => choices(&messages, "stop"),
            _ => Reply::completion("[[ ## way ## ]]\nRail\n\n[[ ## completed ## ]]"),
        })
        .await;
        let program = Predict::<Find>::new().lm(model.lm.clone()).options(Options::new().n(2));
        assert_eq!(program.forward("my parcel".into()).await.unwrap(), found());
    });
}

/// A message that calls the tool with each of these arguments.
fn calling(arguments: &[Value]) -> Value {
    let call = |arguments: &Value| json!({"id": "c", "type": "function", "function": {"name": "weather", "arguments": arguments}});
    json!({"role": "assistant", "content": null, "tool_calls": arguments.iter().map(call).collect::<Vec<_>>()})
}

#[test]
fn arguments_of_native_calls_are_read_as_answers_are() {
    run(async {
        let texts = [
            json!({"city": "Rome"}),
            json!("{\"city\": \"Rome\",}"),
            json!("{'city': 'Rome'}"),
            json!("```json\n{\"city\": \"Rome\"}\n```"),
            json!("\"{\\\"city\\\": \\\"Rome\\\"}\""),
            json!("{city: Rome}"),
        ];
        let message = calling(&texts);
        let model = Model::replying(move |_| choices(std::slice::from_ref(&message), "tool_calls")).await;
        let program = choose(with(&model, Capabilities::all()));
        let input = ChooseInput { task: "compare".into(), tools: tools() };
        let output = program.forward(input.clone()).await.unwrap();
        assert_eq!(output.calls.len(), texts.len());
        assert!(output.calls.iter().all(|c| c.args["city"] == "Rome"), "{:?}", output.calls);

        let message = calling(&[json!(""), json!(null), json!("null"), json!({}), json!("{}")]);
        let model = Model::replying(move |_| choices(std::slice::from_ref(&message), "tool_calls")).await;
        let output = choose(with(&model, Capabilities::all())).forward(input).await.unwrap();
        assert!(output.calls.len() == 5 && output.calls.iter().all(|c| c.args.is_empty()));
    });
}

#[test]
fn arguments_that_cannot_be_read_are_an_error_that_shows_them() {
    run(async {
        for text in ["the eternal city", "{'city': 'the eternal city", "[\"the eternal city\"]"] {
            let message = calling(&[json!({"city": "Oslo"}), json!(text)]);
            let model = Model::replying(move |_| choices(std::slice::from_ref(&message), "tool_calls")).await;
            let program = choose(with(&model, Capabilities::all())).repairs(1);
            let input = ChooseInput { task: "compare".into(), tools: tools() };
            let error = program.forward(input).await.unwrap_err().to_string();
            assert!(error.contains("`calls`") && error.contains("`weather`"), "{error}");
            assert!(error.contains("the eternal city"), "{error}");
            // The model is told before.
            let told = model.asked()[1].last();
            assert!(told.contains("`weather`") && told.contains("the eternal city"), "{told}");
        }
    });
}

/// Answer from the documents.
#[signature]
struct Cite {
    #[input]
    documents: Vec<Document>,
    #[input]
    question: String,
    #[output]
    sources: Citations,
    #[output]
    answer: String,
}

const CITED: &str = "[[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]";

fn citing(content: &'static str, annotations: &Value) -> Reply {
    choices(&[json!({"role": "assistant", "content": content, "annotations": annotations})], "stop")
}

#[test]
fn a_model_that_cites_on_its_own_is_not_asked_to() {
    run(async {
        let page = json!([{"type": "url_citation", "url_citation":
            {"url": "https://x", "title": "X", "start_index": 19, "end_index": 20}}]);
        for (annotations, cited) in [(page, 1), (json!([]), 0)] {
            let model = Model::replying(move |_| citing(CITED, &annotations)).await;
            let program = Predict::<Cite>::new().lm(with(&model, Capabilities::all()));
            let p = program.call((vec![Document::new("2 + 2 is 4")], "2 + 2?")).await.unwrap();
            assert_eq!((p.sources.len(), p.answer.as_str(), model.count()), (cited, "4", 1));
            for source in p.sources.iter() {
                assert_eq!(source.url.as_deref(), Some("https://x"));
                assert_eq!(source.supported(&p.response().unwrap().choices[0].text), Some("4"));
            }
            let asked = &model.asked()[0];
            assert!(!asked.texts("system").concat().contains("sources") && !asked.last().contains("sources"));
        }
        // Answers whose form is enforced have no citations.
        let model = Model::replying(|_| citing(r#"{"answer": "4"}"#, &Value::Null)).await;
        let able = Capabilities::all();
        let program = Predict::<Cite>::new().lm(with(&model, able)).adapter(JsonAdapter::default());
        let p = program.call((vec![Document::new("2 + 2 is 4")], "2 + 2?")).await.unwrap();
        assert_eq!((p.sources.len(), p.answer.as_str()), (0, "4"));
        assert_ne!(model.asked()[0].body["response_format"]["type"], "json_schema");
    });
}

#[test]
fn another_model_writes_its_sources_into_the_answer() {
    run(async {
        let answer = "[[ ## sources ## ]]\n[{\"cited_text\": \"is 4\", \"document_index\": 0}]\n\n\
                      [[ ## answer ## ]]\n4\n\n[[ ## completed ## ]]";
        let model = Model::script(&[answer]).await;
        let program = Predict::<Cite>::new().lm(with(&model, Capabilities::none()));
        let p = program.call((vec![Document::new("2 + 2 is 4")], "2 + 2?")).await.unwrap();
        assert_eq!((&*p.sources[0].cited_text, p.sources[0].document_index), ("is 4", Some(0)));
        // What a provider names is what there is.
        let found = json!([{"type": "url_citation", "url_citation": {"url": "https://x"}}]);
        let model = Model::replying(move |_| citing(answer, &found)).await;
        let program = program.lm(with(&model, Capabilities::none()));
        let p = program.call((vec![Document::new("2 + 2 is 4")], "2 + 2?")).await.unwrap();
        assert_eq!(p.sources[0].url.as_deref(), Some("https://x"));
    });
}
