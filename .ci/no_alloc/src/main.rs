//! A program without `std`, without `alloc` and without an allocator: it links only if kmem needs none of them.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use kmem::{Pool, Ptr, Ref, Tree};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The prebuilt `core` names it, though nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

unsafe extern "C" {
    fn exit(code: i32) -> !;
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let Ok(mut pool) = Pool::bytes_in_buffer(&mut buffer, 100) else { return 1 };
    pool.taint();
    {
        let Ok(counted) = Ref::try_copy_str_in("counted", &pool) else { return 2 };
        let Ok(tree) = Tree::try_new_in(1u32, &pool) else { return 3 };
        if tree.node().try_push(2).is_err() {
            return 4;
        }
        let handles: [Ptr<'_, str>; 2] = [counted.clone().into(), "static".into()];
        if pool.live() != 3 || handles[0].len() + handles[1].len() != 13 {
            return 5;
        }
    }
    let left = pool.live();
    // SAFETY: the C library's exit may be called at any time.
    unsafe { exit(if left == 0 { 0 } else { 6 }) }
}
