//! The name under which the user's crate knows this library.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

/// The crate whose hidden module the generated code calls.
pub(crate) struct Facade(Ident);

impl Facade {
    /// The facade by whatever name the user's manifest gives it, or else the engine.
    pub(crate) fn find() -> Self {
        let found = ["dspy", "dspy-core"].into_iter().find_map(|package| {
            Some(match crate_name(package).ok()? {
                // Both crates know themselves by their own name.
                FoundCrate::Itself => package.replace('-', "_"),
                FoundCrate::Name(name) => name,
            })
        });
        Self(Ident::new(&found.unwrap_or_else(|| "dspy".into()), Span::call_site()))
    }

    /// The path of the hidden module.
    pub(crate) fn private(&self) -> TokenStream {
        let name = &self.0;
        quote!(::#name::__private)
    }

    /// The path of something in the hidden module as text, for attributes that want it so.
    pub(crate) fn text(&self, item: &str) -> String {
        format!("::{}::__private::{item}", self.0)
    }
}
