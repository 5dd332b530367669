//! The start code of the C library calls `main`.

fn main() {
    println!("cargo:rustc-link-lib=c");
}
