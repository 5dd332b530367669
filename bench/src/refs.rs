//! Reference counts of 32-byte objects.

use std::ffi::c_void;
use std::hint::{black_box, spin_loop};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kmem::Ref;

use crate::cores::{has_second, on_second};
use crate::kmem_c::linked;
use crate::measure::{Contestant, Row, Sample};
use crate::names;
use crate::peers::{Glib, peers};

const SIZE: usize = 32;
type Object = [u64; SIZE / 8];

/// A counted object.
trait Counted: Clone + 'static {
    fn create() -> Self;
}

macro_rules! counted {
    ($($counted:ty),*) => {$(
        impl Counted for $counted {
            fn create() -> Self {
                <$counted>::new([1; SIZE / 8])
            }
        }
    )*};
}

counted!(Rc<Object>, Arc<Object>, triomphe::Arc<Object>, Ref<Object>);

/// Writes an owner of what a C library counts.
macro_rules! owner {
    ($owner:ident, $create:expr, |$up:ident| $acquire:expr, |$down:ident| $release:expr) => {
        struct $owner(*mut c_void);

        // SAFETY: only those whose count is atomic are sent, and the object is never written again.
        unsafe impl Send for $owner {}

        impl Counted for $owner {
            #[inline(always)]
            fn create() -> Self {
                // SAFETY: there is no condition; the object has room for its words.
                unsafe {
                    let object = $create;
                    object.cast::<Object>().write([1; SIZE / 8]);
                    $owner(object)
                }
            }
        }

        impl Clone for $owner {
            #[inline(always)]
            fn clone(&self) -> Self {
                let $up = self.0;
                // SAFETY: the owner has a reference.
                $owner(unsafe { $acquire })
            }
        }

        impl Drop for $owner {
            #[inline(always)]
            fn drop(&mut self) {
                let $down = self.0;
                // SAFETY: the owner has a reference, and this is its end.
                unsafe { $release }
            }
        }
    };
}

owner!(KmemC, linked::kmrefa(null_mut(), SIZE), |up| linked::kmrefu(up), |down| linked::kmrefd(down));
owner!(GRc, (glib().g_rc_box_alloc)(SIZE), |up| (glib().g_rc_box_acquire)(up), |down| (glib()
    .g_rc_box_release)(
    down
));
owner!(GAtomicRc, (glib().g_atomic_rc_box_alloc)(SIZE), |up| (glib().g_atomic_rc_box_acquire)(up), |down| {
    (glib().g_atomic_rc_box_release)(down)
});

#[inline(always)]
fn glib() -> &'static Glib {
    peers().glib.as_ref().expect("only made where GLib is there")
}

pub fn rows() -> Vec<Row> {
    vec![row("create+drop", || all(&Create)), row("clone+drop", || all(&Clones))]
}

pub fn rows_of_two_threads() -> Vec<Row> {
    if has_second() { vec![row("clone+drop, two threads", contended)] } else { Vec::new() }
}

fn row(op: &str, make: fn() -> Vec<Contestant>) -> Row {
    Row::new("ref", op, (SIZE, 1), names::TRIOMPHE, make)
}

/// What is done with counted objects.
trait Work {
    fn contestant<C: Counted>(&self, name: &'static str) -> Contestant;
}

fn all(work: &impl Work) -> Vec<Contestant> {
    let mut all = vec![
        work.contestant::<Ref<Object>>(names::REF_SAFE),
        work.contestant::<KmemC>(names::REF_STATIC),
        work.contestant::<Rc<Object>>(names::RC),
        work.contestant::<Arc<Object>>(names::ARC),
        work.contestant::<triomphe::Arc<Object>>(names::TRIOMPHE),
    ];
    if peers().glib.is_some() {
        all.push(work.contestant::<GRc>(names::G_RC));
        all.push(work.contestant::<GAtomicRc>(names::G_ATOMIC_RC));
    }
    all
}

struct Create;

impl Work for Create {
    fn contestant<C: Counted>(&self, name: &'static str) -> Contestant {
        Contestant::each(name, || {
            let object = C::create();
            black_box(&object);
        })
    }
}

struct Clones;

impl Work for Clones {
    fn contestant<C: Counted>(&self, name: &'static str) -> Contestant {
        let object = C::create();
        Contestant::each(name, move || {
            let clone = object.clone();
            black_box(&clone);
        })
    }
}

fn contended() -> Vec<Contestant> {
    let mut all = vec![
        on_two::<Ref<Object>>(names::REF_SAFE),
        on_two::<KmemC>(names::REF_STATIC),
        on_two::<Arc<Object>>(names::ARC),
        on_two::<triomphe::Arc<Object>>(names::TRIOMPHE),
    ];
    if peers().glib.is_some() {
        all.push(on_two::<GAtomicRc>(names::G_ATOMIC_RC));
    }
    all
}

/// Two threads clone and drop one object as fast as they can. The figure is that of one thread's operation.
fn on_two<C: Counted + Send>(name: &'static str) -> Contestant {
    let object = C::create();
    Contestant::new(name, move |turns| {
        let turns = turns * 100;
        let gate = Arc::new(AtomicUsize::new(0));
        let (theirs, their_gate) = (object.clone(), Arc::clone(&gate));
        let other = on_second(move || clone_and_drop(&theirs, turns, &their_gate));
        let mine = clone_and_drop(&object, turns, &gate);
        let theirs = other.recv().expect("the second thread ends its job");
        Sample::one(turns, (mine + theirs) / 2)
    })
}

fn clone_and_drop<C: Counted>(object: &C, turns: u64, gate: &AtomicUsize) -> Duration {
    meet(gate);
    let start = Instant::now();
    for _ in 0..turns {
        let clone = object.clone();
        black_box(&clone);
    }
    start.elapsed()
}

/// Waits until two threads are at the gate.
pub fn meet(gate: &AtomicUsize) {
    // Relaxed: nothing else is handed over here.
    gate.fetch_add(1, Ordering::Relaxed);
    while gate.load(Ordering::Relaxed) < 2 {
        spin_loop();
    }
}
