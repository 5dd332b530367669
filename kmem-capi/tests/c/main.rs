//! The C library as C programs use it: built, compiled against, linked, run.

mod build;
mod contract;
mod header;
mod library;
mod switches;
