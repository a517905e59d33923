//! Functions as tools: what `#[tool]` makes of them, and what an agent takes.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use super::Tool;

/// What an agent can be given as a tool: a [`Tool`], or a function with `#[tool]`.
///
/// The parameter tells the ways apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    label = "not a tool",
    note = "mark the function with `#[tool]`; or make a tool of a closure with `Tool::typed` or `Tool::new`",
    note = "of a type whose methods are tools, give them all: `.tools(value.tools())`"
)]
pub trait IntoTool<Kind> {
    /// The tool.
    fn into_tool(self) -> Tool;
}

/// The kind of what converts into a [`Tool`].
#[derive(Debug)]
pub struct Converted;

#[diagnostic::do_not_recommend]
impl<T: Into<Tool>> IntoTool<Converted> for T {
    fn into_tool(self) -> Tool {
        self.into()
    }
}

/// The tool that an async function with `#[tool]` is. The type of the function shows nothing but its arguments and its
/// result, so the type that implements this stands in the result.
#[doc(hidden)]
pub trait ToolFunction {
    /// The tool.
    fn tool() -> Tool;
}

/// What an async function with `#[tool]` returns: the future of its result.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct ToolFuture<M, T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    function: PhantomData<fn() -> M>,
}

impl<M, T> ToolFuture<M, T> {
    #[doc(hidden)]
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), function: PhantomData }
    }
}

impl<M, T> Future for ToolFuture<M, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.future.as_mut().poll(context)
    }
}

impl<M, T> fmt::Debug for ToolFuture<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolFuture").finish_non_exhaustive()
    }
}

macro_rules! functions {
    () => {};
    ($first:ident $($argument:ident)*) => {
        functions!($($argument)*);
        functions!(= $first $($argument)*);
    };
    (= $($argument:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<F, M, T, $($argument),*> IntoTool<(M, T, $($argument,)*)> for F
        where
            F: FnOnce($($argument),*) -> ToolFuture<M, T>,
            M: ToolFunction,
        {
            fn into_tool(self) -> Tool {
                M::tool()
            }
        }
    };
}

functions!(=);
functions!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 A18 A19 A20 A21 A22 A23);
