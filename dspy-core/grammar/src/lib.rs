//! The inline grammar of signatures.
