//! Ensembles through the public interface.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use dspy::{lm::Cache, prelude::*};
use scripted::{Sort, SortInput, SortOutput, model, right, rows, server::Reply};

fn asked(n: usize) -> SortInput {
    SortInput { message: format!("case {n}") }
}

#[tokio::test]
async fn programs_answer_together() {
    let (server, _) = scripted::start(|call| {
        String::from_utf8_lossy(&call.body).contains("broken").then(|| Reply::error(500, "ill"))
    })
    .await;
    let lm = model(server.api_base(), Cache::memory(1000));
    with(move |c| c.lm(lm), async {
        let told = |text: &str| Predict::<Sort>::new().instructions(text);
        let words = ["Sort it.", "Sort it twice.", "Sort it, broken."];
        let all = Ensemble::new(words.map(told));
        let prediction = all.call(asked(3)).await.unwrap();
        assert_eq!(prediction.output().len(), 2, "a program that fails is left out");
        let paths: Vec<_> = prediction.trace().iter().filter_map(|step| step.path.clone()).collect();
        assert!(paths.iter().any(|path| &**path == "programs[1]"), "{paths:?}");

        let broken = Ensemble::new([told("broken"), told("broken, too")]).majority();
        assert!(broken.call(asked(3)).await.unwrap_err().to_string().contains("ill"));
        let none = Ensemble::<Predict<Sort>>::new([]);
        assert!(none.call(asked(3)).await.unwrap_err().to_string().contains("no program"));

        let counted = all.clone().reduce(|outputs: Vec<SortOutput>| outputs.len());
        assert_eq!(*counted.call(asked(3)).await.unwrap(), 2);
        let voted = all.majority_by(|found| found.topic.clone());
        assert!(scripted::TOPICS.contains(&voted.call(asked(3)).await.unwrap().topic.as_str()));
    })
    .await;
}

#[tokio::test]
async fn the_best_candidates_of_a_compile_vote_and_are_saved() {
    let (server, _) = scripted::start(|_| None).await;
    let lm = model(server.api_base(), Cache::memory(1000));
    with(move |c| c.lm(lm), async {
        let (train, val, test) = (rows(0..30), rows(100..140), rows(200..260));
        let compiled = COPRO::new().breadth(6).depth(2).racing(None);
        let compiled = compiled.compile(Predict::<Sort>::new(), (&train, &val), right).await.unwrap();
        let voting = Ensemble::of(&compiled, 3).majority();
        let best = compiled.program.predictor().instructions();
        assert_eq!(voting.programs().len(), 3);
        assert_eq!(voting.programs()[0].predictor().instructions(), best);
        let mut told: Vec<_> = voting.programs().iter().map(|p| p.predictor().instructions()).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 3, "no program votes twice");

        let evaluate = Evaluate::new(&test, right).progress(false);
        let score = evaluate.run(&voting).await.unwrap().score;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("voting.json");
        voting.save(&file).unwrap();
        let fresh = Ensemble::new((0..3).map(|_| Predict::<Sort>::new())).majority();
        let loaded = fresh.load(&file).unwrap();
        assert_eq!(evaluate.run(&loaded).await.unwrap().score, score);
        let two = Ensemble::new((0..2).map(|_| Predict::<Sort>::new()));
        assert!(two.load(&file).unwrap_err().to_string().contains("programs[2]"));
    })
    .await;
}
