//! The record and its two sides as types: structs, data, defaults.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::quote;
use syn::{Attribute, Expr, Lit, Path, ext::IdentExt, spanned::Spanned};

use super::{
    expander::{Expander, default_fn, hidden},
    model::{DefaultValue, Field, Model, Name, Role},
};
use crate::{derives, field_type::is_standard, read};

impl Expander<'_> {
    /// The user's struct.
    pub(super) fn record(&self) -> TokenStream {
        let Model { attrs, vis, ident, fields, .. } = self.model;
        let all: Vec<&Field> = fields.iter().collect();
        let listed = derives::listed(attrs);
        let read = self.read(ident, &listed, &all);
        let derives = self.data(read.is_some(), &listed, attrs);
        let impls = self.shown_and_cloned(ident, &listed, &all);
        let fields = fields.iter().map(|f| self.field(f));
        quote! {
            #derives
            #[allow(dead_code)]
            #(#attrs)*
            #vis struct #ident { #(#fields),* }
            #impls
            #read
        }
    }

    /// The struct of the inputs or of the outputs.
    pub(super) fn side(&self, role: Role) -> TokenStream {
        let Model { attrs, vis, ident, .. } = self.model;
        let (name, summary) = match role {
            Role::Input => (&self.input, format!("The inputs of [`{ident}`].\n\n")),
            Role::Output => (&self.output, format!("The outputs of [`{ident}`].\n\n")),
        };
        let fields: Vec<&Field> = self.fields(role).collect();
        let read = self.read(name, &[], &fields);
        let derives = self.data(read.is_some(), &[], attrs);
        let impls = self.shown_and_cloned(name, &[], &fields);
        let listed = derives::listed(attrs);
        let others = derives::others(&listed);
        let shared = attrs.iter().filter(|a| !a.path().is_ident("derive"));
        let fields = fields.iter().map(|f| self.field(f));
        quote! {
            #[doc = #summary]
            #derives
            #[derive(#(#others),*)]
            #[allow(dead_code)]
            #(#shared)*
            #vis struct #name { #(#fields),* }
            #impls
            #read
        }
    }

    /// The derives of serde and schemars.
    fn data(&self, reads: bool, listed: &[Path], attrs: &[Attribute]) -> TokenStream {
        let own = if reads { "Deserialize" } else { "" };
        let derives = derives::data_without(own, listed, attrs, self.facade);
        if self.bounds.is_empty() {
            return derives;
        }
        let bounds = self.bounds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        // What is wrong with a type is reported where it stands.
        let mut bounds = Literal::string(&bounds);
        if let Some(field) = self.model.fields.iter().find(|f| !is_standard(&f.ty)) {
            bounds.set_span(field.ty.span());
        }
        let derived = ["Serialize", "Deserialize"].iter().any(|name| !derives::has(listed, name));
        let bound = derives::options(attrs, "serde").iter().any(|m| m.path().is_ident("bound"));
        let serde = (derived && !bound).then(|| quote!(#[serde(bound = #bounds)]));
        quote!(#derives #serde)
    }

    /// `Deserialize`, where no attribute asks for what only a derive can do.
    fn read(&self, ident: &Ident, listed: &[Path], fields: &[&Field]) -> Option<TokenStream> {
        let plain = |attrs: &[Attribute]| !attrs.iter().any(|a| a.path().is_ident("serde"));
        let simple = |f: &&Field| f.default.is_none() && plain(&f.attrs);
        if derives::has(listed, "Deserialize") || !plain(&self.model.attrs) || !fields.iter().all(simple) {
            return None;
        }
        let fields: Vec<_> = fields.iter().map(|f| (&f.ident, &f.ty, f.name.text())).collect();
        read::of_struct(&self.private, ident, &fields, &self.bounds)
    }

    /// `Debug` and `Clone`, which cannot be derived with conditions.
    fn shown_and_cloned(&self, ident: &Ident, listed: &[Path], fields: &[&Field]) -> TokenStream {
        let bounds = &self.bounds;
        let text = ident.unraw().to_string();
        let names: Vec<_> = fields.iter().map(|f| &f.ident).collect();
        let texts = names.iter().map(|n| n.unraw().to_string());
        let f = hidden("f");
        let debug = (!derives::has(listed, "Debug")).then(|| {
            quote! {
                #[automatically_derived]
                impl ::core::fmt::Debug for #ident where #(#bounds),* {
                    fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        #f.debug_struct(#text)#(.field(#texts, &self.#names))*.finish()
                    }
                }
            }
        });
        let clone = (!derives::has(listed, "Clone")).then(|| {
            quote! {
                #[automatically_derived]
                impl ::core::clone::Clone for #ident where #(#bounds),* {
                    fn clone(&self) -> Self {
                        Self { #(#names: ::core::clone::Clone::clone(&self.#names)),* }
                    }
                }
            }
        });
        quote!(#debug #clone)
    }

    fn field(&self, field: &Field) -> TokenStream {
        let Field { attrs, vis, ident, ty, .. } = field;
        let rename = match &field.name {
            Name::Own(_) => None,
            Name::Given(name) => Some(quote!(#[serde(rename = #name)])),
        };
        let default = field.default.as_ref().map(|_| {
            let path = format!("{}::{}", self.model.ident, default_fn(field));
            quote!(#[serde(default = #path)])
        });
        quote!(#rename #default #(#attrs)* #vis #ident: #ty)
    }

    /// What stands in for missing fields, as functions that serde's attributes can name.
    pub(super) fn defaults(&self) -> TokenStream {
        let ident = &self.model.ident;
        let function = |field: &Field| {
            let (name, ty) = (default_fn(field), &field.ty);
            let value = match field.default.as_ref()? {
                DefaultValue::OfType => quote!(::core::default::Default::default()),
                DefaultValue::Value(Expr::Verbatim(value)) => value.clone(),
                // A text in quotes is a default of a `String`, too.
                DefaultValue::Value(Expr::Lit(lit)) if matches!(lit.lit, Lit::Str(_)) => {
                    quote!(::core::convert::Into::into(#lit))
                }
                DefaultValue::Value(value) => quote!(#value),
            };
            Some(quote!(fn #name() -> #ty { #value }))
        };
        let functions: Vec<_> = self.model.fields.iter().filter_map(function).collect();
        if functions.is_empty() {
            return TokenStream::new();
        }
        quote! {
            #[automatically_derived]
            #[doc(hidden)]
            impl #ident { #(#functions)* }
        }
    }
}
