//! Counts, for tests, what the calling thread asks of the allocator and of the kernel.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static CALLS: [Cell<u64>; NAMES.len()] = const { [const { Cell::new(0) }; NAMES.len()] };
}

/// The system calls that are counted; `epoll_wait` is mio's, and the loop says when it makes one.
const NAMES: [&str; 6] = [
    "epoll_wait",
    "timerfd_settime",
    "recvmmsg",
    "sendmmsg",
    "recvfrom",
    "nanosleep",
];

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_allocation();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note_allocation();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn note_allocation() {
    // A thread that is ending has nothing to count any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

/// Notes a system call of the calling thread.
pub(crate) fn note_call(name: &str) {
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        CALLS.with(|calls| calls[index].set(calls[index].get() + 1));
    }
}

/// What a thread has asked for since it began.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counts {
    /// Blocks asked of the allocator, grown ones included.
    pub(crate) allocations: u64,
    calls: [u64; NAMES.len()],
}

impl Counts {
    /// Those of the calling thread.
    pub(crate) fn now() -> Self {
        Self {
            allocations: ALLOCATIONS.with(Cell::get),
            calls: CALLS.with(|calls| std::array::from_fn(|index| calls[index].get())),
        }
    }

    /// What has been added since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            allocations: self.allocations - before.allocations,
            calls: std::array::from_fn(|index| self.calls[index] - before.calls[index]),
        }
    }

    /// How often a system call was made.
    pub(crate) fn calls(&self, name: &str) -> u64 {
        let index = NAMES.iter().position(|known| *known == name);
        self.calls[index.expect("a call that is counted")]
    }
}
