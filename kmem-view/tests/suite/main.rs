//! The viewer, from the bytes of a snapshot to what a browser makes of the page.

mod browser;
mod command;
mod diff;
mod dot;
mod errors;
mod large;
mod page;
mod text;
mod written;
