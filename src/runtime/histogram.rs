//! How long something took, counted by length.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in nanoseconds.
pub(super) const BOUNDS: [u64; 18] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// Buckets with that of all that took longer.
const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts of lengths of time.
///
/// Relaxed throughout: each number is on its own, and whoever reads them while they grow gets one of the
/// values they had meanwhile.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// What was counted, of several histograms together.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    /// How many were as long as a bound at most and longer than the one before; last those that were longer
    /// than all.
    pub(super) buckets: [u64; BUCKETS],
    /// All of them together.
    pub(super) nanos: u64,
}

impl Histogram {
    /// Takes in how long it took once.
    pub(super) fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Lengths {
    /// Adds what a histogram has counted.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.nanos = self.nanos.wrapping_add(histogram.nanos.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_counts_where_it_is_not_longer_than_the_bound() {
        let histogram = Histogram::default();
        let lengths = [0, 100, 101, 60_000_000, 60_000_001].map(Duration::from_micros);
        lengths.into_iter().for_each(|took| histogram.observe(took));
        histogram.observe(Duration::from_nanos(1));
        let mut sum = Lengths::default();
        sum.add(&histogram);
        assert_eq!((sum.buckets[0], sum.buckets[1]), (3, 1));
        assert_eq!(sum.buckets[17..], [1, 1]);
        assert_eq!(sum.buckets.iter().sum::<u64>(), 6);
        assert_eq!(sum.nanos, 120_000_202_001);
        sum.add(&histogram);
        assert_eq!(sum.buckets.iter().sum::<u64>(), 12);
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS.is_sorted());
    }
}
