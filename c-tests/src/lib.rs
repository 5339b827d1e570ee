//! C programs run against the reference libmilter and this one.
