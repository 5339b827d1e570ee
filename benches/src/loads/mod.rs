//! The loads of the suite.

mod busy;
mod single;
mod trace;

use crate::measure::Load;

/// All loads, in the order of the report.
pub fn all() -> Vec<Load> {
    let mut loads = busy::loads();
    loads.extend(single::loads());
    loads.extend(trace::loads());
    loads
}
