//! The cores: one for what is measured, another for the second thread of the rows that have two.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{env, thread};

/// Frees of deep trees recurse in talloc and APR.
const STACK: usize = 1 << 30;

type Job = Box<dyn FnOnce() + Send>;

/// The cores this process may run on, as they were at the start.
fn allowed() -> &'static [usize] {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    CORES.get_or_init(|| {
        // SAFETY: a zeroed set is an empty one, and the call writes no more than its size.
        let set = unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&set), &raw mut set);
            set
        };
        // SAFETY: every number is below the size of the set.
        (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect()
    })
}

/// Pins the calling thread to one of the allowed cores.
fn pin(nth: usize) {
    let Some(&core) = allowed().get(nth) else { return };
    // SAFETY: the set is local, and the core is one that the kernel named.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// Runs `work` pinned to one core, with a deep stack.
///
/// That is the main thread's where the limit of its stack can be raised, for glibc's malloc has an arena of its own for
/// every other thread and takes locks once there is one. Raising the limit takes a new start of the program.
pub fn on_one_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let nth = number() - 1;
    let work = move || {
        pin(nth);
        work()
    };
    if has_deep_stack() {
        return work();
    }
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread.expect("a thread with a stack of 1 GiB").join().expect("the measuring thread ended well")
}

/// Whether the main thread's stack is deep enough. Where it is not but may be, the program starts again and this does not
/// return.
fn has_deep_stack() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is local.
    if unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } != 0 {
        return false;
    }
    if limit.rlim_cur >= STACK as u64 {
        return true;
    }
    limit.rlim_cur = STACK as u64;
    // SAFETY: as above; a limit above the largest that is allowed is refused.
    if unsafe { libc::setrlimit(libc::RLIMIT_STACK, &raw const limit) } == 0
        && let Ok(program) = env::current_exe()
    {
        // It returns only where it fails.
        let _ = Command::new(program).args(env::args_os().skip(1)).exec();
    }
    false
}

/// The number of cores that this process may run on.
pub fn number() -> usize {
    allowed().len()
}

/// Whether there is a core for a second thread.
pub fn has_second() -> bool {
    number() > 1
}

/// Runs `job` on the second thread, which lives as long as the program. What it returns is received from the channel.
pub fn on_second<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    static SECOND: OnceLock<Sender<Job>> = OnceLock::new();
    let jobs = SECOND.get_or_init(|| {
        let (jobs, todo) = channel::<Job>();
        thread::spawn(move || {
            pin(0);
            todo.into_iter().for_each(|job| job());
        });
        jobs
    });
    let (done, result) = channel();
    let job = move || {
        let _ = done.send(job());
    };
    jobs.send(Box::new(job)).expect("the second thread lives as long as the program");
    result
}
