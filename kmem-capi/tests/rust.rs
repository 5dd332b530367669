//! Cells that Rust makes and C frees, and the reverse; two copies of kmem in one program.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;

use kmem::{HeapBox, Pool, Ptr, Ref, Tree, raw};
use kmem_capi::{heap, pool, ptr, refs, tree};

/// A value with a destructor that counts.
struct Counts(Rc<Cell<u32>>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn what_rust_made_c_frees_with_its_destructor() {
    let ended = Rc::new(Cell::new(0));
    let value = || Counts(ended.clone());
    let cells = Pool::new(2);
    // SAFETY: each owner gives up what C then frees once.
    unsafe {
        ptr::kmfree(Ptr::from(HeapBox::new(value())).into_raw());
        ptr::kmfree(Ptr::from(Ref::new(value())).into_raw());
        ptr::kmfree(Ptr::from(cells.alloc(value())).into_raw());
        let root = Tree::new(value());
        root.node().push(value());
        ptr::kmfree(Ptr::from(root).into_raw());
        heap::kmheapf(HeapBox::new(value()).into_non_null().as_ptr().cast());
        refs::kmreff(Ref::new(value()).into_non_null().as_ptr().cast());
    }
    assert_eq!((ended.get(), cells.live()), (7, 0));
}

#[test]
fn what_c_made_rust_owns_and_frees() {
    unsafe extern "C-unwind" fn count(_: *mut c_void, arg: *mut c_void) {
        // SAFETY: `arg` is the counter below, which outlives the cells.
        let ended = unsafe { &*arg.cast::<Cell<u32>>() };
        ended.set(ended.get() + 1);
    }
    let ended = Cell::new(0u32);
    let arg = (&raw const ended).cast_mut().cast();
    let options = kmem_capi::Options {
        sz: 8,
        align: 64,
        drop: Some(count),
        arg,
        zero: 1,
        grow: 0,
        name: std::ptr::null(),
        shred: 0,
    };
    // SAFETY: the cells hold eight bytes, zeroed, which is a u64; each handle has one owner; the pool is destroyed last.
    unsafe {
        let store = pool::kmpooliw(null_mut(), &options, 4);
        let handles = [
            heap::kmheapwo(&options),
            refs::kmrefwo(null_mut(), &options),
            pool::kmpoolzo(store, 8),
            tree::kmtreewo(null_mut(), null_mut(), &options),
        ];
        for handle in handles {
            let mut owned = Ptr::<u64>::from_raw(handle).expect("an object");
            assert_eq!(*owned, 0);
            *owned.get_mut().expect("the only owner") = 7;
        }
        assert_eq!(ended.get(), 4);
        pool::kmpoolx(store);
        let counted = NonNull::new(refs::kmrefz(null_mut(), 8)).expect("memory").cast::<u64>();
        let shared: Ref<u64> = Ref::from_non_null(counted);
        assert_eq!(Ref::count(&shared.clone()), 2);
    }
}

/// The aborting program is a child process.
#[cfg(unix)]
#[test]
fn a_fault_ends_the_program_once_it_has_taken_its_handler_away() {
    use std::os::unix::process::ExitStatusExt;
    unsafe extern "C" fn ignore(_: *const kmem_capi::fault::CFault) {}
    const NAME: &str = "a_fault_ends_the_program_once_it_has_taken_its_handler_away";
    const CHILD: &str = "KMEM_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let foreign = [0u128; 4];
        // SAFETY: the header that is read lies in the array, and is not written to.
        unsafe {
            let fault = || heap::kmheapf((&raw const foreign[2]).cast_mut().cast());
            kmem_capi::fault::kmonfault(Some(ignore));
            fault();
            assert!(kmem_capi::fault::kmonfault(None).is_some());
            println!("one was ignored");
            fault();
        }
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"));
    let output =
        child.args(["--exact", NAME, "--nocapture"]).env(CHILD, "1").output().expect("it runs again");
    assert!(String::from_utf8_lossy(&output.stdout).contains("one was ignored"), "{output:?}");
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("kmem: kmheapf(0x"), "{output:?}");
}

/// The shared library allocates from `malloc`, this program from the global allocator of Rust.
#[cfg(target_os = "linux")]
#[test]
fn a_cell_of_another_copys_heap_is_reported_and_left_alone() {
    use std::process::Command;
    let out = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("other");
    let mut build = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/build"));
    build.arg(&out).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build.env("CARGO_TARGET_DIR", out.join("target"));
    assert!(build.status().expect("the build script runs").success());

    thread_local!(static FAULTS: Cell<u32> = const { Cell::new(0) });
    unsafe extern "C" fn count(_: *const c_void) {
        FAULTS.set(FAULTS.get() + 1);
    }
    let path = std::ffi::CString::new(out.join("libkmem.so").to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the symbols have the types that kmem.h says; the cell is freed by the copy that made it.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!library.is_null());
        let find = |name: &std::ffi::CStr| {
            let symbol = libc::dlsym(library, name.as_ptr());
            assert!(!symbol.is_null());
            symbol
        };
        type Free = unsafe extern "C" fn(*mut c_void);
        type OnFault = unsafe extern "C" fn(Option<unsafe extern "C" fn(*const c_void)>) -> *mut c_void;
        let other_free: Free = std::mem::transmute(find(c"kmheapf"));
        let other_on_fault: OnFault = std::mem::transmute(find(c"kmonfault"));
        other_on_fault(Some(count));

        let mine = heap::kmheapz(8);
        other_free(mine);
        assert_eq!(FAULTS.get(), 1);
        assert_eq!(raw::ptr::stat(mine.cast()).data.read(), 0, "it is still there");
        heap::kmheapf(mine);
        assert_eq!(FAULTS.get(), 1);
    }
}
