//! Many calls at once.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;

use super::lanes::Lanes;
use crate::{
    Error, Result,
    context::{Attempt, Context, Recorder, Recording},
    lm::BoxFuture,
};

/// Runs `work` for every index below `len`, at most `concurrency` at a time, and hands every result to `done` as
/// it arrives, in the order of completion. Panics become [`Error::Task`]. Steps and usage reach the surrounding
/// recorder in the order of the indices. Dropping the future stops all work.
pub(crate) async fn fan_out<T, F>(
    len: usize,
    concurrency: usize,
    work: impl FnMut(usize) -> F,
    done: impl FnMut(usize, Result<T>) -> Flow,
) where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    run_all((0..len).map(work), concurrency, done).await;
}

/// [`fan_out`] over futures that are made one by one, each when there is room for it.
async fn run_all<T, F>(
    work: impl ExactSizeIterator<Item = F>,
    concurrency: usize,
    mut done: impl FnMut(usize, Result<T>) -> Flow,
) where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let context = Context::current();
    let mut lanes = match Lanes::new(context.clone()) {
        Ok(lanes) => lanes,
        Err(error) => {
            let refused = |index| matches!(done(index, Err(error.clone())), Flow::Continue);
            (0..work.len()).all(refused);
            return;
        }
    };
    // Steps are put into the order of the indices, so they are held back until all calls have ended.
    let outer = context.recorder().filter(|r| r.keeps_steps()).cloned();
    let mut records: Vec<Option<Recording>> = Vec::new();
    if outer.is_some() {
        records.resize_with(work.len(), || None);
    }
    let attempt = context.attempt().cloned();
    let mut branches: Vec<Option<Arc<Attempt>>> = Vec::new();
    if attempt.is_some() {
        branches.resize_with(work.len(), || None);
    }
    // What each lane works on.
    let mut places: Vec<Place<T>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut work = work.enumerate();
    let mut more = true;
    loop {
        while more && (!free.is_empty() || places.len() < concurrency.max(1)) {
            let Some((index, future)) = work.next() else {
                more = false;
                break;
            };
            let lane = free.pop().unwrap_or(places.len());
            if lane == places.len() {
                places.push(Place { index, recorder: None, result: Arc::default() });
            }
            let place = &mut places[lane];
            place.index = index;
            let result = place.result.clone();
            let put = move |value| *lock(&result) = Some(value);
            // Mapped, because an `async` block would hold the future twice.
            let mut scope = None;
            if let Some(outer) = &outer {
                let recorder = Recorder::holding_back(outer.clone());
                place.recorder = Some(recorder.clone());
                scope = Some(context.clone().recording(recorder));
            }
            if let Some(attempt) = &attempt {
                let branch = Attempt::branch(attempt.clone());
                branches[index] = Some(branch.clone());
                scope = Some(scope.unwrap_or_else(|| context.clone()).attempting(branch));
            }
            let job: BoxFuture<'static, ()> = match scope {
                None => Box::pin(future.map(put)),
                Some(scope) => Box::pin(scope.scope(future).map(put)),
            };
            lanes.begin(lane, job);
        }
        let Some((lane, ended)) = lanes.next().await else { break };
        let place = &mut places[lane];
        let value = lock(&place.result).take();
        if let Some(recorder) = place.recorder.take().filter(|_| value.is_some()) {
            records[place.index] = Some(recorder.take());
        }
        free.push(lane);
        let stopped = || Error::Task("the call was stopped".into());
        match done(place.index, ended.and_then(|()| value.ok_or_else(stopped))) {
            Flow::Continue => {}
            Flow::Drain => more = false,
            Flow::Stop => {
                more = false;
                lanes.stop();
            }
        }
    }
    if let Some(outer) = outer {
        for record in records.into_iter().flatten() {
            outer.absorb(record);
        }
    }
    if let Some(attempt) = attempt {
        for branch in branches.into_iter().flatten() {
            attempt.absorb_branch(&branch);
        }
    }
}

/// What a lane works on.
struct Place<T> {
    index: usize,
    recorder: Option<Arc<Recorder>>,
    result: Arc<Mutex<Option<T>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a fan-out goes on.
pub(crate) enum Flow {
    /// Go on.
    Continue,
    /// Start nothing more, but let what runs come to its end, because it is paid for already.
    Drain,
    /// Start nothing more and stop what runs.
    Stop,
}

/// Runs `call` for every input, as many at a time as the settings say. The outcomes stand in the order of the inputs.
pub(super) async fn run<I, T, F>(inputs: Vec<I>, call: impl Fn(I) -> F) -> Vec<Result<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut results: Vec<Option<Result<T>>> = Vec::new();
    results.resize_with(inputs.len(), || None);
    let concurrency = Context::current().settings().concurrency;
    let done = |index: usize, result: Result<Result<T>>| {
        results[index] = Some(result.and_then(|r| r));
        Flow::Continue
    };
    run_all(inputs.into_iter().map(call), concurrency, done).await;
    let stopped = || Error::Task("the call was stopped".into());
    results.into_iter().map(|result| result.unwrap_or_else(|| Err(stopped()))).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    use super::*;

    /// What came of each index, and how many ran at once at most.
    async fn outcomes(len: usize, concurrency: usize, flow: impl Fn(usize) -> Flow) -> (Vec<String>, usize) {
        let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let mut told = vec![String::new(); len];
        let work = |index: usize| {
            let counts = counts.clone();
            async move {
                counts.1.fetch_max(counts.0.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(index as u64 % 3)).await;
                counts.0.fetch_sub(1, SeqCst);
                assert!(index % 5 != 4, "{index} is no number for this");
                index * 2
            }
        };
        let done = |index: usize, result: Result<usize>| {
            assert!(told[index].is_empty(), "told once");
            told[index] = result.map_or_else(|error| error.to_string(), |value| value.to_string());
            flow(index)
        };
        fan_out(len, concurrency, work, done).await;
        (told, counts.1.load(SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn results_and_panics_belong_to_their_index() {
        for concurrency in [1, 3, 50] {
            let (told, most) = outcomes(20, concurrency, |_| Flow::Continue).await;
            for (index, told) in told.iter().enumerate() {
                match index % 5 {
                    4 => assert!(told.contains(&format!("panicked: {index} is no number")), "{told}"),
                    _ => assert_eq!(*told, (index * 2).to_string()),
                }
            }
            assert!(most <= concurrency && (most > 1) == (concurrency > 1), "{most} of {concurrency}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn drained_work_ends_and_stopped_work_does_not() {
        let (told, _) = outcomes(20, 2, |index| if index == 0 { Flow::Drain } else { Flow::Continue }).await;
        assert_eq!(told.iter().filter(|told| !told.is_empty()).count(), 2, "what ran came to its end");
        let (told, _) = outcomes(20, 1, |index| if index == 2 { Flow::Stop } else { Flow::Continue }).await;
        assert_eq!(told.iter().filter(|told| !told.is_empty()).count(), 3, "nothing further began");
    }

    #[tokio::test]
    async fn work_that_was_given_and_not_begun_is_stopped() {
        let mut told = Vec::new();
        // Both lanes end in one turn of the runtime: the first is given the third job, then the second stops all.
        fan_out(
            10,
            2,
            |index| async move { index },
            |index, result| {
                told.push((index, result.is_ok()));
                if index == 1 { Flow::Stop } else { Flow::Continue }
            },
        )
        .await;
        assert_eq!(told, [(0, true), (1, true), (2, false)]);
    }

    #[tokio::test]
    async fn dropping_it_stops_the_work() {
        let kept = Arc::new(());
        let work = |_| {
            let kept = kept.clone();
            async move {
                std::future::pending::<()>().await;
                drop(kept);
            }
        };
        let fan = fan_out(3, 3, work, |_, _| Flow::Continue);
        assert!(tokio::time::timeout(Duration::from_millis(5), fan).await.is_err());
        while Arc::strong_count(&kept) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
