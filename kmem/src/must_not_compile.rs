//! Misuse that the compiler rejects. Each program that must not compile differs in the misuse alone from one that compiles, so it is not
//! rejected for another reason.

/// Tests programs that must compile (`ok`) and programs that must not. These have the number of the error, or `fails` if it has none. Each
/// program begins with the code of the last `given`.
macro_rules! cases {
    (@ [$($old:tt)*] given { $($given:tt)* } $($rest:tt)*) => {
        cases!(@ [$($given)*] $($rest)*);
    };
    (@ [$($given:tt)*] $outcome:ident { $($program:tt)* } $($rest:tt)*) => {
        #[doc = concat!("```", cases!(@ $outcome), "\n", stringify!($($given)* $($program)*), "\n```")]
        const _: () = ();
        cases!(@ [$($given)*] $($rest)*);
    };
    (@ [$($given:tt)*]) => {};
    (@ ok) => {
        ""
    };
    (@ fails) => {
        "compile_fail"
    };
    (@ $code:ident) => {
        concat!("compile_fail,", stringify!($code))
    };
    ($name:ident $($cases:tt)*) => {
        mod $name {
            cases!(@ [] $($cases)*);
        }
    };
}

#[cfg(feature = "arena")]
mod arena;
mod life;
mod owned;
mod pool;
mod tree;
mod types;
