//! Tests that concern several crates of kmem (pages, manifests, public types), and the tool that draws the map of the code.
//!
//! The other crates are packaged, and a package is tested without its neighbours: a test there reads no file outside its crate.

pub mod circles;
pub mod crates;
pub mod map;
pub mod modules;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
