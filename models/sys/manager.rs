//! No model has a service manager.

#[derive(Debug, Clone)]
pub struct Manager;
