//! pisink: I2C sensors of a site, journalled on every node and brought together on a sink.
//!
//! Layers, bottom to top; a module imports only from below its own:
//! `model` (0), `wire`, `proto`, `store`, `view` (1), `node` (2), `io` and `sim` (3), `cli` (4).
//! `docs/ARCHITECTURE.md` tells the whole story in ten minutes.
//!
//! Whoever writes a program of their own on its loop and its framings begins with [`serve`].

#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests cast small numbers")
)]

pub mod cli;
pub mod io;
pub mod model;
pub mod node;
pub mod proto;
pub mod sim;
pub mod store;
pub mod view;
pub mod wire;

pub use io::serve;
