//! What a module's struct implements.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Lifetime, Type, ext::IdentExt, parse_quote, spanned::Spanned};

use super::parse::{Field, Model};
use crate::{derives, facade::Facade};

pub(super) fn expand(model: &Model, facade: &Facade) -> TokenStream {
    let private = facade.private();
    let item = &model.item;
    let (ident, name) = (&item.ident, item.ident.unraw().to_string());
    let (impls, types, _) = item.generics.split_for_impl();
    let walk = walk(model, &private);
    let walked = bounded(model, &quote!(#private::Walk), |f| !f.plain);
    let source = match &model.source {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    };
    let listed = derives::listed(&item.attrs);
    let clone = (!derives::has(&listed, "Clone")).then(|| clone(model));
    let f = Ident::new("f", Span::mixed_site());
    let debug = (!derives::has(&listed, "Debug")).then(|| {
        quote! {
            #[automatically_derived]
            impl #impls ::core::fmt::Debug for #ident #types #walked {
                fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #private::debug(#name, self, #f)
                }
            }
        }
    });
    quote! {
        #item
        #walk
        #clone
        #debug

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #impls #private::Program for #ident #types #walked {
            fn structure() -> ::core::option::Option<&'static str> {
                #source
            }
        }

        #[automatically_derived]
        impl #impls ::core::fmt::Display for #ident #types #walked {
            fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #private::display(self, #f)
            }
        }
    }
}

fn walk(model: &Model, private: &TokenStream) -> TokenStream {
    let ident = &model.item.ident;
    let (impls, types, _) = model.item.generics.split_for_impl();
    let bounds = bounded(model, &quote!(#private::Walk), |f| !f.plain);
    let (path, visit) = (Ident::new("path", Span::mixed_site()), Ident::new("visit", Span::mixed_site()));
    let a = Lifetime::new("'__walk", Span::mixed_site());
    let visits = |method: &str, reference: &TokenStream| -> Vec<TokenStream> {
        let method = Ident::new(method, Span::mixed_site());
        let walked = model.fields.iter().filter(|f| !f.plain);
        let visit = |Field { ident, ty, .. }: &Field| {
            let name = ident.unraw().to_string();
            // At the field's type, so that a type that cannot be walked is reported there.
            let at = Span::mixed_site().located_at(ty.span());
            let call = quote_spanned!(at=> <#ty as #private::Walk>::#method);
            quote!(#path.field(#name, |#path| #call(#reference self.#ident, #path, #visit));)
        };
        walked.map(visit).collect()
    };
    let (shared, unique) = (visits("walk", &quote!(&)), visits("walk_mut", &quote!(&mut)));
    quote! {
        #[automatically_derived]
        impl #impls #private::Walk for #ident #types #bounds {
            fn walk<#a>(
                &#a self,
                #path: &mut #private::Path,
                #visit: &mut dyn ::core::ops::FnMut(&#private::Path, &#a #private::Predictor),
            ) {
                let _ = (&#path, &#visit);
                #(#shared)*
            }

            fn walk_mut<#a>(
                &#a mut self,
                #path: &mut #private::Path,
                #visit: &mut dyn ::core::ops::FnMut(&#private::Path, &#a mut #private::Predictor),
            ) {
                let _ = (&#path, &#visit);
                #(#unique)*
            }
        }
    }
}

fn clone(model: &Model) -> TokenStream {
    let ident = &model.item.ident;
    let (impls, types, _) = model.item.generics.split_for_impl();
    let bounds = bounded(model, &quote!(::core::clone::Clone), |_| true);
    let fields = model.fields.iter().map(|Field { ident, ty, .. }| {
        let at = Span::mixed_site().located_at(ty.span());
        let call = quote_spanned!(at=> <#ty as ::core::clone::Clone>::clone);
        quote!(#ident: #call(&self.#ident))
    });
    quote! {
        #[automatically_derived]
        impl #impls ::core::clone::Clone for #ident #types #bounds {
            fn clone(&self) -> Self {
                Self { #(#fields),* }
            }
        }
    }
}

/// The struct's own conditions, and `bound` for the types of fields that depend on its parameters. Types that do not
/// are left to the body, where a failure is reported at the field. So are those that hold the struct itself: the
/// condition would ask for what it is a condition of.
fn bounded(model: &Model, bound: &TokenStream, of: impl Fn(&Field) -> bool) -> TokenStream {
    let mut generics = model.item.generics.clone();
    let params: HashSet<String> = generics.type_params().map(|p| p.ident.to_string()).collect();
    let own = HashSet::from([model.item.ident.to_string(), "Self".to_owned()]);
    let depends = |f: &&Field| of(f) && mentions(&f.ty, &params) && !mentions(&f.ty, &own);
    let types = model.fields.iter().filter(depends).map(|f| f.ty.clone());
    let types: Vec<Type> = types.collect();
    if !types.is_empty() {
        let clause = generics.make_where_clause();
        clause
            .predicates
            .extend::<Vec<syn::WherePredicate>>(types.iter().map(|ty| parse_quote!(#ty: #bound)).collect());
    }
    generics.where_clause.to_token_stream()
}

fn mentions(ty: &Type, params: &HashSet<String>) -> bool {
    fn any(tokens: TokenStream, params: &HashSet<String>) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => params.contains(&ident.to_string()),
            TokenTree::Group(group) => any(group.stream(), params),
            _ => false,
        })
    }
    any(ty.to_token_stream(), params)
}
