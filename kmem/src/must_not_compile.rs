//! Misuse that the compiler rejects. A program that compiles stands before those that must not. Each of them differs from it in the misuse
//! alone, so that it is not rejected for another reason.

mod life;
mod owned;
mod pool;
mod tree;
mod types;
