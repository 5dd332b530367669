//! Tables of functions found in shared libraries at run time.

/// Writes a struct of function pointers and how to fill it from a library, which stays loaded for good.
#[macro_export]
macro_rules! library {
    ($(#[$doc:meta])* $table:ident { $($name:ident: ($($arg:ty),*) $(-> $ret:ty)?;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $table { $(pub $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)* }

        impl $table {
            pub fn load(file: impl AsRef<std::ffi::OsStr>) -> Result<$table, libloading::Error> {
                // SAFETY: the constructors of these libraries have no conditions.
                let library = Box::leak(Box::new(unsafe { libloading::Library::new(file) }?));
                // SAFETY: the signatures are those of the library's header.
                unsafe { Ok($table { $($name: *library.get(stringify!($name).as_bytes())?,)* }) }
            }
        }
    };
}
