//! The formats of prompts and answers, through the public interface and over real HTTP.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../model/mod.rs"]
mod model;

mod every_type;
mod marks;
// Its signature has a bound on a field.
#[cfg(feature = "constraints")]
mod native;
mod reading;
mod repair;
mod round_trip;
mod tags;
mod two_step;
mod wrapped;
