//! Names of the grammar as names of Rust.

use proc_macro2::{Ident, Span};

/// A name as an identifier, raw where it must be; `None` when it cannot be one.
pub(super) fn ident(name: &str, span: Span) -> Option<Ident> {
    if syn::parse_str::<Ident>(name).is_ok() {
        return Some(Ident::new(name, span));
    }
    // `self`, `super`, `crate` and `Self` have no raw form.
    let raw = syn::parse_str::<Ident>(&format!("r#{name}")).is_ok();
    raw.then(|| Ident::new_raw(name, span))
}
