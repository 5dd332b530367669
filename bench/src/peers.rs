//! The shared libraries that are measured, and which of them are absent.

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::OnceLock;

use crate::kmem_c::Kmem;
use crate::library;

library! {
    Jemalloc {
        malloc: (usize) -> *mut c_void;
        free: (*mut c_void);
    }
}

library! {
    Talloc {
        talloc_named_const: (*const c_void, usize, *const c_char) -> *mut c_void;
        _talloc_free: (*mut c_void, *const c_char) -> c_int;
        talloc_pool: (*const c_void, usize) -> *mut c_void;
        _talloc_reference_loc: (*const c_void, *const c_void, *const c_char) -> *mut c_void;
        talloc_unlink: (*const c_void, *mut c_void) -> c_int;
        _talloc_realloc: (*const c_void, *mut c_void, usize, *const c_char) -> *mut c_void;
        _talloc_steal_loc: (*const c_void, *const c_void, *const c_char) -> *mut c_void;
        _talloc_set_destructor: (*const c_void, extern "C" fn(*mut c_void) -> c_int);
        talloc_strdup: (*const c_void, *const c_char) -> *mut c_char;
        talloc_strdup_append: (*mut c_char, *const c_char) -> *mut c_char;
        talloc_free_children: (*const c_void);
        talloc_total_blocks: (*const c_void) -> usize;
        talloc_report_depth_file: (*const c_void, c_int, c_int, *mut c_void);
    }
}

library! {
    Apr {
        apr_initialize: () -> c_int;
        apr_pool_create_ex: (*mut *mut c_void, *mut c_void, *mut c_void, *mut c_void) -> c_int;
        apr_palloc: (*mut c_void, usize) -> *mut c_void;
        apr_pool_clear: (*mut c_void);
        apr_pool_destroy: (*mut c_void);
    }
}

library! {
    Glib {
        g_rc_box_alloc: (usize) -> *mut c_void;
        g_rc_box_acquire: (*mut c_void) -> *mut c_void;
        g_rc_box_release: (*mut c_void);
        g_atomic_rc_box_alloc: (usize) -> *mut c_void;
        g_atomic_rc_box_acquire: (*mut c_void) -> *mut c_void;
        g_atomic_rc_box_release: (*mut c_void);
    }
}

library! {
    Sodium {
        sodium_memzero: (*mut c_void, usize);
    }
}

/// The library that goes below the whole process in some tree rows.
pub const MIMALLOC: &str = "libmimalloc.so.2";

pub struct Peers {
    pub kmem_shared: Option<Kmem>,
    pub kmem_mimalloc: Option<Kmem>,
    pub kmem_noshred: Option<Kmem>,
    pub jemalloc: Option<Jemalloc>,
    pub talloc: Option<Talloc>,
    pub apr: Option<Apr>,
    pub glib: Option<Glib>,
    pub sodium: Option<Sodium>,
    /// What is not there, with the loader's reason.
    pub absent: Vec<String>,
}

/// The peers, loaded at the first call.
pub fn peers() -> &'static Peers {
    static PEERS: OnceLock<Peers> = OnceLock::new();
    PEERS.get_or_init(load)
}

fn load() -> Peers {
    let mut absent = Vec::new();
    let build = |name: &str| Kmem::load(built(name));
    let peers = Peers {
        kmem_shared: present(build("libkmem"), &mut absent),
        kmem_mimalloc: present(build("libkmem-mimalloc"), &mut absent),
        kmem_noshred: present(build("libkmem-noshred"), &mut absent),
        jemalloc: present(Jemalloc::load("libjemalloc.so.2"), &mut absent),
        talloc: present(Talloc::load("libtalloc.so.2"), &mut absent),
        apr: present(Apr::load("libapr-1.so.0"), &mut absent),
        glib: present(Glib::load("libglib-2.0.so.0"), &mut absent),
        sodium: present(Sodium::load("libsodium.so.23"), &mut absent),
        absent,
    };
    if let Some(apr) = peers.apr {
        // SAFETY: it may be called from any thread, and is called once.
        unsafe { (apr.apr_initialize)() };
    }
    peers
}

fn present<T>(loaded: Result<T, libloading::Error>, absent: &mut Vec<String>) -> Option<T> {
    loaded.map_err(|error| absent.push(error.to_string())).ok()
}

/// A build of libkmem: `run` puts it beside the default one, which is where `KMEM_LIB` was at build time.
fn built(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("KMEM_LIB"));
    dir.with_file_name(name).join("libkmem.so")
}

impl Apr {
    pub fn pool(&self, parent: *mut c_void) -> *mut c_void {
        let mut pool = null_mut();
        // SAFETY: null for the abort function and the allocator are the defaults; the parent is null or a live pool.
        unsafe { (self.apr_pool_create_ex)(&raw mut pool, parent, null_mut(), null_mut()) };
        pool
    }
}
