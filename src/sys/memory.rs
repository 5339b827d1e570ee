//! Memory, and what the library does when the system has none left.
//!
//! Rust ends the process when an allocation fails that nobody has prepared for, and most small ones are
//! of that kind: a session's shared parts, the text of a log line, a node of a tree. So they are met from
//! a reserve then, which is part of the library's data, and the thread takes note of it: whoever serves
//! a session asks [`flags::ran_short`] and ends it, which gives back what the reserve has lent. What may be
//! large is asked for with `try_reserve` where it is needed, and is too large for the reserve.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::flags;

/// Bytes. The largest blocks of the reserve.
const LARGEST: usize = 64 << 10;
/// Bytes. The blocks of a shelf are aligned to this.
const ALIGN: usize = 64;

/// Up to 64 blocks of one size, a multiple of [`ALIGN`].
#[repr(C, align(64))]
struct Shelf<const SIZE: usize, const BLOCKS: usize> {
    blocks: UnsafeCell<[[u8; SIZE]; BLOCKS]>,
    /// Which blocks are lent, one bit each.
    lent: AtomicU64,
}

// SAFETY: a block is used by the one whom `take` has given it to, until it comes back by `give_back`; all
// else is an atomic number.
unsafe impl<const SIZE: usize, const BLOCKS: usize> Sync for Shelf<SIZE, BLOCKS> {}

impl<const SIZE: usize, const BLOCKS: usize> Shelf<SIZE, BLOCKS> {
    const fn new() -> Shelf<SIZE, BLOCKS> {
        Shelf { blocks: UnsafeCell::new([[0; SIZE]; BLOCKS]), lent: AtomicU64::new(0) }
    }

    fn block(&self, number: usize) -> *mut u8 {
        self.blocks.get().cast::<u8>().wrapping_add(number * SIZE)
    }

    /// A block that is nobody's; NULL if there is none.
    fn take(&self) -> *mut u8 {
        let free = |lent: u64| {
            let first = lent.trailing_ones();
            ((first as usize) < BLOCKS).then(|| lent | 1 << first)
        };
        // Acquire, with the release in `give_back`: what the owner before wrote comes before.
        match self.lent.fetch_update(Ordering::Acquire, Ordering::Relaxed, free) {
            Ok(lent) => self.block(lent.trailing_ones() as usize),
            Err(_) => std::ptr::null_mut(),
        }
    }

    /// Takes a block back if it is one of this shelf.
    fn give_back(&self, block: *mut u8) -> bool {
        let offset = block.addr().wrapping_sub(self.block(0).addr());
        let mine = offset < SIZE * BLOCKS;
        if mine {
            self.lent.fetch_and(!(1 << (offset / SIZE)), Ordering::Release);
        }
        mine
    }
}

/// What there is when the system has nothing.
#[repr(C)]
struct Reserve {
    small: [Shelf<512, 64>; 8],
    middle: Shelf<4096, 64>,
    large: Shelf<LARGEST, 8>,
}

static RESERVE: Reserve = Reserve::new();

impl Reserve {
    const fn new() -> Reserve {
        Reserve { small: [const { Shelf::new() }; 8], middle: Shelf::new(), large: Shelf::new() }
    }

    #[inline]
    fn holds(&self, block: *mut u8) -> bool {
        block.addr().wrapping_sub(std::ptr::from_ref(self).addr()) < size_of::<Reserve>()
    }

    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        flags::run_short();
        if layout.align() > ALIGN {
            return std::ptr::null_mut();
        }
        let small = || self.small.iter().map(Shelf::take).find(|block| !block.is_null());
        let middle = || Some(self.middle.take()).filter(|block| !block.is_null());
        let block = match layout.size() {
            0..=512 => small().or_else(middle),
            513..=4096 => middle(),
            4097..=LARGEST => Some(self.large.take()),
            _ => None,
        };
        block.unwrap_or(std::ptr::null_mut())
    }

    #[cold]
    fn give_back(&self, block: *mut u8) {
        let _taken = self.small.iter().any(|shelf| shelf.give_back(block))
            || self.middle.give_back(block)
            || self.large.give_back(block);
    }
}

/// Whether the system has some memory still: for what can't be met from the reserve, as it is allocated
/// elsewhere.
#[must_use]
pub fn is_there() -> bool {
    Vec::<u8>::new().try_reserve_exact(LARGEST + 1).is_ok()
}

/// The error of a call that has no memory.
#[must_use]
pub fn shortage() -> std::io::Error {
    std::io::Error::from_raw_os_error(libc::ENOMEM)
}

/// The system's memory, and the reserve.
struct Memory;

#[global_allocator]
static MEMORY: Memory = Memory;

// SAFETY: what the system's allocator gives has the form that was asked for; so have blocks of the
// reserve, which are large enough by `take` and aligned to 64 bytes. Each is given back to where it came
// from. Nothing here panics or allocates.
unsafe impl GlobalAlloc for Memory {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        let block = unsafe { System.alloc(layout) };
        if block.is_null() { RESERVE.take(layout) } else { block }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        let block = unsafe { System.alloc_zeroed(layout) };
        if block.is_null() { zeroed(RESERVE.take(layout), layout) } else { block }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if RESERVE.holds(block) {
            return RESERVE.give_back(block);
        }
        // SAFETY: by the caller's promise, and it is not the reserve's.
        unsafe { System.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !RESERVE.holds(block) {
            // SAFETY: by the caller's promise, and it is not the reserve's.
            let moved = unsafe { System.realloc(block, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        }
        // SAFETY: by the caller's promise.
        unsafe { move_to(self, block, layout, size) }
    }
}

#[cold]
fn zeroed(block: *mut u8, layout: Layout) -> *mut u8 {
    if !block.is_null() {
        // SAFETY: the block has that many bytes, which are its owner's.
        unsafe { block.write_bytes(0, layout.size()) };
    }
    block
}

/// Moves to a new block what was in, or has to go to, the reserve.
///
/// # Safety
/// As `realloc`.
#[cold]
unsafe fn move_to(memory: &Memory, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    // SAFETY: the size is one for this alignment, by the caller's promise.
    let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
    // SAFETY: the size is not zero, by the caller's promise.
    let moved = unsafe { memory.alloc(new) };
    if !moved.is_null() {
        // SAFETY: both blocks have that many bytes, and the new one is nobody else's.
        unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(size)) };
        // SAFETY: by the caller's promise; what it held has moved.
        unsafe { memory.dealloc(block, layout) };
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_lends_and_takes_back() {
        static OTHER: Reserve = Reserve::new();
        let reserve = &OTHER;
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        for (size, count) in [(1, 9 * 64), (512, 9 * 64), (513, 64), (4097, 8), (65_536, 8)] {
            for _ in 0..2 {
                flags::begin();
                let blocks: Vec<_> = (0..count).map(|_| reserve.take(layout(size))).collect();
                assert!(flags::ran_short());
                for (n, block) in blocks.iter().enumerate() {
                    assert!(reserve.holds(*block) && block.addr() % ALIGN == 0, "{size} {n}");
                }
                let mut places: Vec<_> = blocks.iter().map(|block| block.addr()).collect();
                places.sort_unstable();
                assert!(places.windows(2).all(|two| two[0] + size <= two[1]), "{size}");
                assert!(reserve.take(layout(size)).is_null());
                blocks.into_iter().for_each(|block| reserve.give_back(block));
            }
        }
        assert!(reserve.take(layout(65_537)).is_null());
        assert!(reserve.take(Layout::from_size_align(8, 128).unwrap()).is_null());
        assert!(!reserve.holds(Box::into_raw(Box::new(7u8))));
    }
}
