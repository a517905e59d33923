//! Assertions in a `forward`.

/// Demands something of what a program has so far, in its `forward`: the condition, and in words what is demanded.
///
/// When the condition is false, the program runs again from the predictor that was called last: that one is asked again,
/// and the model sees its answer and the demand. The steps before are not asked again: they give what they gave. An answer
/// is corrected at most [`max_backtracks`](crate::Settings::max_backtracks) times, 2 unless set; then the call fails with
/// [`Error::Assertion`](crate::Error::Assertion).
///
/// ```
/// use dspy::prelude::*;
///
/// #[signature("question -> query")]
/// struct WriteQuery;
///
/// #[module]
/// struct Search {
///     query: Predict<WriteQuery>,
/// }
///
/// impl Module for Search {
///     type Input = WriteQueryInput;
///     type Output = WriteQueryOutput;
///
///     async fn forward(&self, input: WriteQueryInput) -> Result<WriteQueryOutput> {
///         let asked = self.query.call(input).await?;
///         dspy::assert!(asked.query.len() <= 100, "a query has at most 100 characters, not {}", asked.query.len());
///         Ok(asked.into_inner())
///     }
/// }
/// # let lm = dspy::lm::StubModel::scripted([format!(r#"{{"query": "{}"}}"#, "x".repeat(120)), r#"{"query": "emma author"}"#.into()]);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let mut search = Search { query: Predict::new() };
/// # search.set_lm(&lm);
/// let found = search.call("Who wrote Emma?").await?;
/// assert_eq!((found.query.as_str(), found.backtracks()), ("emma author", 1));
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
///
/// Another predictor than the last is named with `retry`: its last call is made again, and so is what depends on it.
///
/// ```ignore
/// dspy::assert!(!passages.is_empty(), retry = self.query, "the query {query:?} finds nothing; write another one");
/// ```
///
/// What runs again is `forward`, from its beginning. So what it does besides calling modules is done again, too; the
/// tools of an agent are not called again. A call
/// is taken for one of the earlier run when it is of the same predictor with the same input; the second of two equal calls
/// for the second one. The condition is a `bool`; the surrounding function returns a `Result` whose error is made from
/// [`Error`](crate::Error), which is passed on as it is: an error that is caught, or replaced, has nothing run again.
///
/// What is demanded of one output of one signature alone is better said in the signature:
/// `#[output(assert(...))]` of [`signature`](macro@crate::signature).
///
/// Singhvi et al. 2023, "DSPy Assertions: Computational Constraints for Self-Refining Language Model Pipelines".
#[macro_export]
macro_rules! assert {
    ($met:expr, retry = $module:expr, $message:literal $($arguments:tt)*) => {{
        let met: bool = $met;
        if !met {
            let failed = $crate::__private::failed_assertion(
                ::core::option::Option::Some(&$crate::__private::predictors_of(&$module)),
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                ::std::format!($message $($arguments)*),
            );
            ::core::result::Result::Err::<(), _>(failed)?;
        }
    }};
    ($met:expr, $message:literal $($arguments:tt)*) => {{
        let met: bool = $met;
        if !met {
            let failed = $crate::__private::failed_assertion(
                ::core::option::Option::None,
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                ::std::format!($message $($arguments)*),
            );
            ::core::result::Result::Err::<(), _>(failed)?;
        }
    }};
    ($($other:tt)*) => {
        ::core::compile_error!(
            "an assertion says in words what is demanded, because the model is told: \
             `dspy::assert!(condition, \"at most {} words\", most)` or \
             `dspy::assert!(condition, retry = self.step, \"...\")`"
        )
    };
}

/// Wishes for something, in a `forward`: as [`assert!`](macro@crate::assert), but when the answer has been corrected as
/// often as it may be, the program goes on. The wish is logged as a warning then, and counted in
/// [`Prediction::violations`](crate::Prediction::violations) and in evaluations; a run that does not meet it is no
/// demonstration for [optimizers](crate::optimize).
#[macro_export]
macro_rules! suggest {
    ($met:expr, retry = $module:expr, $message:literal $($arguments:tt)*) => {{
        let met: bool = $met;
        if !met {
            $crate::__private::failed_suggestion(
                ::core::option::Option::Some(&$crate::__private::predictors_of(&$module)),
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                ::std::format!($message $($arguments)*),
            )?;
        }
    }};
    ($met:expr, $message:literal $($arguments:tt)*) => {{
        let met: bool = $met;
        if !met {
            $crate::__private::failed_suggestion(
                ::core::option::Option::None,
                ::core::concat!(::core::file!(), ":", ::core::line!()),
                ::std::format!($message $($arguments)*),
            )?;
        }
    }};
    ($($other:tt)*) => {
        ::core::compile_error!(
            "a suggestion says in words what is wished for, because the model is told: \
             `dspy::suggest!(condition, \"at most {} words\", most)` or \
             `dspy::suggest!(condition, retry = self.step, \"...\")`"
        )
    };
}
