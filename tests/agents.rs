//! Agents: what is sent, what is done with calls, what becomes of failures.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod agent;
mod model;
