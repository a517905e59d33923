//! From the model to code.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, Expr, ExprLit, ItemFn, Lit, ReturnType, Type, ext::IdentExt, spanned::Spanned};

use super::model::{Argument, Block, Default, Function, Tool};
use crate::facade::Facade;

/// A function becomes a tool that can be called as before.
pub(super) fn function(function: &Function, facade: &Facade) -> TokenStream {
    let private = facade.private();
    match function.item.sig.asyncness {
        Some(_) => async_function(function, &private),
        None => plain_function(function, &private),
    }
}

/// An async function stays a function. Its result says which tool it is: nothing else of the type of a function tells it
/// from others.
fn async_function(Function { item, tool }: &Function, private: &TokenStream) -> TokenStream {
    let (name, vis, conditions) = (&item.sig.ident, &item.vis, &tool.conditions);
    let attrs = item.attrs.iter().filter(|attr| is(attr, &NAMED) || is(attr, &LINTS));
    let mark = format_ident!("__tool_{}", name.unraw(), span = Span::mixed_site());
    let mut inner = inner(item);
    // Whatever else there is, macros such as `#[instrument]` among it, is meant for what the user wrote.
    inner.attrs.retain(|attr| !is(attr, &NAMED));
    let (run, output) = (&inner.sig.ident, output(item));
    let (names, types): (Vec<Ident>, Vec<&Type>) =
        tool.arguments.iter().map(|a| (a.ident.clone(), &a.ty)).unzip();
    let made = made(tool, private, &quote!(#name), &TokenStream::new());
    let future = {
        let span = shown_at(name.span());
        let (private, run) = (placed(private, span), Ident::new(&run.to_string(), span));
        quote_spanned!(span=> #private::ToolFuture::new(#run(#(#names),*)))
    };
    quote! {
        #(#attrs)*
        #vis fn #name(#(#names: #types),*) -> #private::ToolFuture<#mark, #output> {
            #[allow(clippy::unused_async, clippy::needless_pass_by_value)]
            #inner
            #future
        }

        #(#conditions)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, unreachable_pub)]
        #[derive(::core::fmt::Debug)]
        #vis enum #mark {}

        #(#conditions)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl #private::ToolFunction for #mark {
            fn tool() -> #private::Tool {
                #made
            }
        }
    }
}

/// A plain function becomes a value: its result is of the user's own type, which can say nothing more.
fn plain_function(Function { item, tool }: &Function, private: &TokenStream) -> TokenStream {
    let (name, vis, conditions) = (&item.sig.ident, &item.vis, &tool.conditions);
    let mut inner = inner(item);
    inner.attrs.retain(|attr| !is(attr, &VALUE));
    let attrs = item.attrs.iter().filter(|attr| is(attr, &VALUE));
    let (run, output) = (&inner.sig.ident, output(item));
    let types: Vec<&Type> = tool.arguments.iter().map(|a| &a.ty).collect();
    let pointer = quote!(fn(#(#types),*) -> #output);
    let made = made(tool, private, &quote!(#name::#run), &TokenStream::new());
    quote! {
        #(#attrs)*
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name;

        #(#conditions)*
        #[allow(deprecated)]
        impl #name {
            #[allow(clippy::needless_pass_by_value)]
            #inner
        }

        #(#conditions)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::core::ops::Deref for #name {
            type Target = #pointer;

            fn deref(&self) -> &Self::Target {
                const CALL: #pointer = <#name>::#run;
                &CALL
            }
        }

        #(#conditions)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::core::convert::From<#name> for #private::Tool {
            fn from(_: #name) -> Self {
                #made
            }
        }
    }
}

/// Code of the macro, of which messages point to what the user wrote there.
fn shown_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// A path with that span: a message points to the whole of what is called.
fn placed(path: &TokenStream, span: Span) -> TokenStream {
    let place = |mut tree: TokenTree| {
        tree.set_span(span);
        tree
    };
    path.clone().into_iter().map(place).collect()
}

/// Attributes of the item that has the function's name.
const NAMED: [&str; 6] = ["doc", "cfg", "deprecated", "must_use", "inline", "cold"];
/// Those that a value can have.
const VALUE: [&str; 3] = ["doc", "cfg", "deprecated"];
/// Those that are for both.
const LINTS: [&str; 3] = ["allow", "warn", "deny"];

fn is(attr: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attr.path().is_ident(name))
}

/// The function itself, under a name that users do not see.
fn inner(item: &ItemFn) -> ItemFn {
    let mut inner = item.clone();
    inner.sig.ident = Ident::new("__run", item.sig.ident.span());
    inner.vis = syn::Visibility::Inherited;
    inner
}

fn output(item: &ItemFn) -> TokenStream {
    match &item.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    }
}

/// The methods of a block become tools of a shared value.
pub(super) fn block(block: &Block, facade: &Facade) -> TokenStream {
    let Block { item, tools, vis } = block;
    let private = facade.private();
    let (impl_generics, _, bounds) = item.generics.split_for_impl();
    let owner = &item.self_ty;
    let this = Ident::new("this", Span::mixed_site());
    let made = tools.iter().map(|tool| {
        let (method, conditions) = (&tool.signature.ident, &tool.conditions);
        let share = match tool.method {
            true => quote!(let #this = ::std::sync::Arc::clone(&#this);),
            false => TokenStream::new(),
        };
        let made = made_of(tool, &private, &quote!(<#owner>::#method), &share, &this);
        quote! { #(#conditions)* tools.push({ #share #made }); }
    });
    let owned = match tools.iter().any(|tool| tool.method) {
        true => {
            let span = shown_at(owner.span());
            let private = placed(&private, span);
            let this = Ident::new("this", Span::mixed_site().located_at(span));
            quote_spanned!(span=> #private::tool_owner(#this);)
        }
        false => quote!(let _ = #this;),
    };
    quote! {
        #item

        impl #impl_generics #owner #bounds {
            /// Its methods that are tools, for an agent. They share it.
            #[allow(deprecated)]
            #vis fn tools(self: &::std::sync::Arc<Self>) -> ::std::vec::Vec<#private::Tool> {
                let #this = self;
                #owned
                let mut tools = ::std::vec::Vec::new();
                #(#made)*
                tools
            }
        }
    }
}

fn made(tool: &Tool, private: &TokenStream, path: &TokenStream, share: &TokenStream) -> TokenStream {
    made_of(tool, private, path, share, &Ident::new("this", Span::mixed_site()))
}

/// The expression of a tool whose function is at a path.
fn made_of(
    tool: &Tool,
    private: &TokenStream,
    path: &TokenStream,
    share: &TokenStream,
    this: &Ident,
) -> TokenStream {
    let Tool { name, docs, arguments, signature, .. } = tool;
    let given = Ident::new("given", Span::mixed_site());
    let schema = arguments.iter().map(|argument| {
        let Argument { ty, name, docs, .. } = argument;
        let new = quote_spanned!(ty.span()=> #private::ToolArg::new::<#ty>(#name, #docs));
        match &argument.default {
            None => new,
            Some(default) => {
                let value = value(default, ty);
                quote!(#new.default::<#ty>(&#value))
            }
        }
    });
    let places: Vec<Ident> = (0..arguments.len()).map(|i| format_ident!("a{i}")).collect();
    let take = arguments.iter().zip(&places).map(|(argument, place)| {
        let Argument { ty, name, .. } = argument;
        match &argument.default {
            None => quote!(let #place = #given.take::<#ty>(#name);),
            Some(default) => {
                let value = value(default, ty);
                quote!(let #place = #given.take_or::<#ty>(#name, || #value);)
            }
        }
    });
    let read = (!places.is_empty()).then(|| {
        quote! {
            let (#(::core::option::Option::Some(#places),)*) = (#(#places,)*) else {
                return ::core::result::Result::Err(#private::unread_arguments());
            };
        }
    });
    let receiver = tool.method.then(|| quote!(&#this,));
    let span = shown_at(match &signature.output {
        ReturnType::Default => signature.ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    });
    let (spanned, path) = (placed(private, span), placed(path, span));
    let finish = match tool.fallible {
        true => quote_spanned!(span=> #spanned::tool_result),
        false => quote_spanned!(span=> #spanned::tool_value),
    };
    let run = match signature.asyncness {
        Some(_) => {
            let ran = quote_spanned!(span=> #path(#receiver #(#places),*).await);
            quote_spanned!(span=> #finish(#ran))
        }
        None => {
            let ran = quote_spanned!(span=> #path(#receiver #(#places),*));
            let ended = quote_spanned!(span=> #finish(#ran));
            quote!(#private::blocking(move || #ended).await)
        }
    };
    let options = [
        ("timeout", &tool.options.timeout),
        ("max_output", &tool.options.max_output),
        ("parallel", &tool.options.parallel),
    ];
    let options = options.into_iter().filter_map(|(name, value)| {
        let (name, value) = (Ident::new(name, Span::call_site()), value.as_ref()?);
        Some(quote!(.#name(#value)))
    });
    let span = shown_at(signature.ident.span());
    let work = quote_spanned! {span=>
        ::std::boxed::Box::pin(async move {
            done?;
            #read
            #run
        })
    };
    let mutable = (!places.is_empty()).then(|| quote!(mut));
    quote! {
        #private::Tool::of(
            #private::tool_spec(#name, #docs, ::std::vec![#(#schema),*]),
            move |#mutable #given| {
                #(#take)*
                let done = #given.done();
                #share
                #work
            },
        )#(#options)*
    }
}

/// The value of a default, of the type of its argument.
fn value(default: &Default, ty: &Type) -> TokenStream {
    match default {
        Default::OfType => quote!(<#ty as ::core::default::Default>::default()),
        Default::Value(value) => match &**value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                quote!(<#ty as ::core::convert::From<&'static str>>::from(#text))
            }
            value => quote!({ let default: #ty = #value; default }),
        },
    }
}
