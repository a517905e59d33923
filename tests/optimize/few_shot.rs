//! Demonstrations from rows and from runs, by whatever teacher.

use std::{collections::HashSet, sync::atomic::Ordering};

use dspy::{
    adapter::Coverage,
    optimize::{BetterTogether, KNNFewShot, Strategy},
    prelude::*,
};

use crate::tickets::{
    Sort, SortInput, SortOutput, TwoSteps, dev, model, right, score, server, tempfile, train,
};

#[tokio::test]
async fn bootstrapped_demonstrations_improve_the_score() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let program = TwoSteps::new();
        let before = score(&program, &dev).await;
        let compiled = BootstrapFewShot::new().compile(program, &train, right).await.unwrap();
        let after = score(&compiled.program, &dev).await;
        assert!(after > before + 0.2, "{before} -> {after}\n{compiled}");
        for (path, predictor) in compiled.program.predictors() {
            let demos = predictor.demos();
            let made = demos.iter().filter(|d| d.augmented).count();
            assert_eq!(made, 4, "{path}: {demos:?}");
            // Rows have no `gist`, so that nothing of them can be shown to the first step.
            assert_eq!(demos.len(), if path == "sum" { 4 } else { 16 });
            for demo in &demos[..made] {
                assert_eq!(demo.coverage(predictor.spec()), Coverage::Complete);
            }
        }
        let of = |field: &str| -> Vec<String> {
            let (_, sort) = compiled.program.predictors().remove(1);
            sort.demos().iter().map(|d| d.fields[field].as_str().unwrap().to_owned()).collect()
        };
        for (message, topic) in of("message").iter().zip(of("topic")) {
            assert!(train.iter().any(|row| row.message == *message && row.topic == topic));
        }
        assert!(compiled.report.usage.total().calls > 0);
    })
    .await;
    assert!(seen.spoiled.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_teacher_teaches() {
    let (server, seen) = server(None);
    let train = train();
    let strong = model(&server, "strong");
    dspy::with(|c| c.lm(model(&server, "weak")), async {
        let mut teacher = TwoSteps::new();
        teacher.sum.predictor_mut().set_instructions("Name the topic.");
        let optimizer = BootstrapFewShot::new().max_bootstrapped_demos(2).max_labeled_demos(3);
        let optimizer = optimizer.teacher_settings(move |c| c.lm(strong.clone()));
        let student = TwoSteps::new().with_teacher(teacher);
        let compiled = optimizer.compile(student, &train, right).await.unwrap();
        let predictors = compiled.program.predictors();
        assert_eq!(predictors[0].1.demos().len(), 2);
        assert_eq!(predictors[1].1.demos().len(), 3);
        assert_eq!(predictors[0].1.instructions(), "Say in a few words what the message is about.");
        let models: Vec<String> = seen.models.lock().unwrap().keys().cloned().collect();
        assert_eq!(models, ["\"strong\""]);
        assert_eq!(
            compiled.report.usage.by_model().map(|(m, _)| m.to_owned()).collect::<Vec<_>>(),
            ["openai/strong"]
        );

        // One that was compiled before keeps what it has.
        let compiled = BootstrapFewShot::new()
            .compile(TwoSteps::new().with_teacher(compiled.program), &train, right)
            .await
            .unwrap();
        assert!(compiled.program.predictors()[0].1.demos().len() <= 4);
    })
    .await;
}

#[tokio::test]
async fn a_teacher_of_another_shape_is_refused() {
    let error = BootstrapFewShot::new()
        .compile(
            Listed { steps: vec![Predict::new(), Predict::new()] }
                .with_teacher(Listed { steps: vec![Predict::new()] }),
            &train(),
            right,
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`steps[1]`"), "{error}");
}

/// As many steps as one wants.
#[module]
struct Listed {
    steps: Vec<Predict<Sort>>,
}

impl Module for Listed {
    type Input = SortInput;
    type Output = SortOutput;

    async fn forward(&self, input: SortInput) -> Result<SortOutput> {
        let mut output = SortOutput { topic: String::new() };
        for step in &self.steps {
            output = step.call(input.clone()).await?.into_inner();
        }
        Ok(output)
    }
}

#[tokio::test]
async fn rounds_and_thresholds_decide_what_is_accepted() {
    let (server, seen) = server(None);
    let train = train();
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let half = |_: &Sort, _: &SortOutput| 0.5;
        let augmented = |compiled: &Compiled<Predict<Sort>>| {
            compiled.program.predictor().demos().iter().filter(|d| d.augmented).count()
        };
        let optimizer = BootstrapFewShot::new().max_rounds(3).max_labeled_demos(0);
        let strict = optimizer.clone().metric_threshold(0.6);
        let compiled = strict.compile(Predict::<Sort>::new(), &train[..5], half).await.unwrap();
        assert_eq!(augmented(&compiled), 0);
        assert_eq!(seen.requests.load(Ordering::SeqCst), 15, "each round is a draw of its own");
        let compiled = optimizer.clone().compile(Predict::<Sort>::new(), &train[..5], half).await.unwrap();
        assert_eq!(augmented(&compiled), 4);
        let never = |_: &Sort, _: &SortOutput| 0.0;
        let lenient = optimizer.metric_threshold(0.0);
        let compiled = lenient.compile(Predict::<Sort>::new(), &train[..5], never).await.unwrap();
        assert_eq!(augmented(&compiled), 4, "a threshold of 0 is a threshold");
        assert_eq!(seen.requests.load(Ordering::SeqCst), 15, "the same requests are not sent again");
    })
    .await;
}

#[tokio::test]
async fn labelled_rows_are_chosen_by_the_seed() {
    let train = train();
    let messages = |program: &Predict<Sort>| -> Vec<String> {
        program.predictor().demos().iter().map(|d| d.fields["message"].as_str().unwrap().to_owned()).collect()
    };
    let of = |labels: LabeledFewShot| messages(&labels.apply(Predict::new(), &train).unwrap());
    assert_eq!(of(LabeledFewShot::new().seed(1)), of(LabeledFewShot::new().seed(1)));
    assert_ne!(of(LabeledFewShot::new().seed(1)), of(LabeledFewShot::new().seed(2)));
    assert_eq!(of(LabeledFewShot::new()).iter().collect::<HashSet<_>>().len(), 16);
    let first: Vec<String> = train[..3].iter().map(|row| row.message.clone()).collect();
    assert_eq!(of(LabeledFewShot::new().k(3).in_order()), first);
    assert_eq!(of(LabeledFewShot::new().k(1000)).len(), train.len());
    let compiled = LabeledFewShot::new().k(2).compile(TwoSteps::new(), &train, right).await.unwrap();
    let shown: Vec<usize> = compiled.program.predictors().iter().map(|(_, p)| p.demos().len()).collect();
    assert_eq!(shown, [0, 2]);
}

#[tokio::test]
async fn the_nearest_rows_are_chosen_for_each_call_and_saved_with_the_program() {
    let (server, seen) = server(None);
    let (train, dev) = (train(), dev());
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let program = TwoSteps::new();
        let before = score(&program, &dev).await;
        let optimizer = KNNFewShot::new(3).bootstrap(true).seed(2);
        let compiled = optimizer.compile(program, (&train, &dev), right).await.unwrap();
        // Demonstrations of the first step are in no row: they come from runs.
        for (path, predictor) in compiled.program.predictors() {
            let nearest = predictor.nearest_demos().unwrap_or_else(|| panic!("{path} has none"));
            assert!(nearest.k() == 3 && nearest.pool().len() > 10 && predictor.demos().is_empty());
        }
        assert!(seen.spoiled.lock().unwrap().is_empty());
        let after = score(&compiled.program, &dev).await;
        assert!(after > before + 0.2, "{before} -> {after}");

        let file = tempfile();
        compiled.save(&file).unwrap();
        let loaded = TwoSteps::new().load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let asked = seen.requests.load(Ordering::SeqCst);
        assert_eq!(score(&loaded, &dev).await, after);
        assert_eq!(seen.requests.load(Ordering::SeqCst), asked, "the loaded program asks the same");
        assert!(
            loaded
                .load_json(&TwoSteps::new().to_json().unwrap())
                .unwrap()
                .sum
                .predictor()
                .nearest_demos()
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn a_row_is_never_among_its_own_nearest() {
    let (server, seen) = server(None);
    let train = &train()[..20];
    dspy::with(|c| c.lm(model(&server, "demo")), async {
        let chain =
            BetterTogether::of(KNNFewShot::new(2), BootstrapFewShotWithRandomSearch::new().num_candidates(1));
        let strategy = Strategy::prompts().then_weights();
        let compiled = chain.strategy(strategy).compile(Predict::<Sort>::new(), train, right).await.unwrap();
        assert!(compiled.report.candidates.iter().any(|c| c.name == "1 prompts" && c.complete), "{compiled}");
    })
    .await;
    assert!(seen.spoiled.lock().unwrap().is_empty());
}

/// Name the kind of animal.
#[signature]
struct Animal {
    #[input]
    name: String,
    #[output]
    kind: String,
}

/// An embedding model that knows which words mean a bird, and counts the texts that it embeds.
fn bird_lover(id: &str, embedded: std::sync::Arc<std::sync::atomic::AtomicUsize>) -> impl Embedder {
    dspy::lm::embed::from_fn(id, move |texts: Vec<String>, _| {
        embedded.fetch_add(texts.len(), Ordering::SeqCst);
        let bird = |text: &String| ["Spatz", "gorrión", "moineau", "linnet"].iter().any(|b| text.contains(b));
        let vectors = texts.iter().map(|text| if bird(text) { vec![1.0, 0.1] } else { vec![0.1, 1.0] });
        let vectors = vectors.collect();
        async move { Ok(vectors) }
    })
}

#[tokio::test]
async fn an_embedding_model_chooses_by_meaning() {
    let row = |name: &str, kind: &str| Animal { name: name.into(), kind: kind.into() };
    let train = [
        row("Spatz", "bird"),
        row("Lachs", "fish"),
        row("gorrión", "bird"),
        row("salmón", "fish"),
        row("saumon", "fish"),
    ];
    let lm = dspy::lm::StubModel::from_fn(|request: &dspy::lm::Request| {
        let shown = request.prompt.messages().filter(|m| m.content.text().contains("bird")).count();
        chat_kind(if shown == 2 { "bird" } else { "fish" })
    });
    let embedded = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let known = |id| bird_lover(id, embedded.clone());
    dspy::with(|c| c.lm(&lm), async {
        let right = |gold: &Animal, pred: &AnimalOutput| gold.kind == pred.kind;
        let optimizer = KNNFewShot::new(2).embedder(known("own/birds"));
        let program = optimizer.compile(Predict::<Animal>::new(), &train, right).await.unwrap().program;
        embedded.store(0, Ordering::SeqCst);

        // No word of these is in the rows. The rows are embedded once, whoever comes first.
        let names = ["moineau", "trout", "linnet", "pike", "moineau", "eel"];
        let found = program.batch(names.map(|name| AnimalInput { name: name.into() })).await;
        let kinds: Vec<String> = found.into_iter().map(|p| p.unwrap().into_inner().kind).collect();
        assert_eq!(kinds, ["bird", "fish", "bird", "fish", "bird", "fish"]);
        assert_eq!(embedded.load(Ordering::SeqCst), train.len() + names.len());
        assert!(program.render("linnet").unwrap_err().to_string().contains("`own/birds`"));

        // A file holds the model's name, and a call says that the model is missing.
        let file = tempfile();
        program.save(&file).unwrap();
        let mut loaded = Predict::<Animal>::new().load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let missing = loaded.call("linnet").await.unwrap_err();
        let cure = "set_embedder(EmbeddingModel::new(\"own/birds\")?)";
        assert!(matches!(&missing, Error::Context(text) if text.contains(cure)), "{missing}");
        let other = loaded.set_embedder(known("own/fish")).unwrap_err().to_string();
        assert!(other.contains("`own/birds`") && other.contains("`own/fish`"), "{other}");
        loaded.set_embedder(known("own/birds")).unwrap();
        assert_eq!(loaded.call("linnet").await.unwrap().kind, "bird");
        assert_eq!(loaded.to_json().unwrap(), program.to_json().unwrap());
        // A program that has the model keeps it.
        let again = loaded.clone().load_json(&program.to_json().unwrap()).unwrap();
        assert_eq!(again.call("linnet").await.unwrap().kind, "bird");
    })
    .await;
}

fn chat_kind(kind: &str) -> String {
    format!("[[ ## kind ## ]]\n{kind}\n\n[[ ## completed ## ]]")
}
