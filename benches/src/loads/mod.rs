//! The loads of the suite.

mod busy;
mod designs;
mod hostile;
mod idle;
mod last;
mod level;
mod macros;
mod single;
mod size;
mod slow;
mod trace;

use crate::measure::Load;

/// All loads, in the order of the report.
pub fn all() -> Vec<Load> {
    let mut loads = busy::loads();
    loads.extend(single::loads());
    loads.extend(level::loads());
    loads.extend(idle::loads());
    loads.extend(size::loads());
    loads.extend(slow::loads());
    loads.extend(hostile::loads());
    loads.extend(macros::loads());
    loads.extend(trace::loads());
    loads.extend(designs::loads());
    loads
}
