//! Atomic operations. `loom` takes sequential consistency for less than it is, but knows fences: there is one
//! behind each such store, which is what a load behind it counts on.

use loom::sync::atomic::fence;
use std::sync::OnceLock;
pub use std::sync::atomic::Ordering;

fn strong(ordering: Ordering) {
    if ordering == Ordering::SeqCst {
        fence(Ordering::SeqCst);
    }
}

// `loom` remembers of each atomic the last access alone: a thread that loads before it stores hides from it
// that another has loaded before, and orders are left out. So each access visits a second atomic, by an
// operation that it takes for a store.
macro_rules! atomic {
    ($name:ident, $value:ty, $($method:ident),*) => {
        #[derive(Debug)]
        pub struct $name {
            first: $value,
            // Made when it is used first, as `loom` can't make one in a constant: a model uses each
            // before it has threads.
            atomic: OnceLock<(loom::sync::atomic::$name, loom::sync::atomic::AtomicU8)>,
        }

        impl Default for $name {
            fn default() -> $name {
                let new = $name::new(<$value>::default());
                new.atomic();
                new
            }
        }

        impl $name {
            pub const fn new(first: $value) -> $name {
                $name { first, atomic: OnceLock::new() }
            }

            fn atomic(&self) -> &loom::sync::atomic::$name {
                let new = || (loom::sync::atomic::$name::new(self.first), Default::default());
                let (atomic, visits) = self.atomic.get_or_init(new);
                visits.fetch_add(0, Ordering::Relaxed);
                atomic
            }

            pub fn load(&self, ordering: Ordering) -> $value {
                self.atomic().load(ordering)
            }

            pub fn store(&self, value: $value, ordering: Ordering) {
                self.atomic().store(value, ordering);
                strong(ordering);
            }

            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.atomic().fetch_update(success, failure, update)
            }

            pub fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.atomic().compare_exchange(old, new, success, failure)
            }

            $(pub fn $method(&self, value: $value, ordering: Ordering) -> $value {
                let before = self.atomic().$method(value, ordering);
                strong(ordering);
                before
            })*
        }
    };
}

atomic!(AtomicBool, bool, swap);
atomic!(AtomicU8, u8, swap, fetch_max);
atomic!(AtomicU32, u32, swap);
atomic!(AtomicU64, u64, swap, fetch_add);
atomic!(AtomicUsize, usize, swap, fetch_add, fetch_sub);
