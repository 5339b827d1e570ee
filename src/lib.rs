//! libmilter
