//! Threads.

#[derive(Debug)]
pub struct Thread(Option<loom::thread::JoinHandle<()>>);

impl Thread {
    pub fn try_join(mut self) -> Result<(), Thread> {
        if let Some(thread) = self.0.take() {
            thread.join().unwrap();
        }
        Ok(())
    }
}

pub fn spawn(_name: &str, body: impl FnOnce() + 'static) -> std::io::Result<Thread> {
    Ok(Thread(Some(loom::thread::spawn(body))))
}

pub fn is_leaving() -> bool {
    false
}

#[derive(Debug)]
pub struct StateView;

impl StateView {
    pub fn own() -> Option<StateView> {
        None
    }

    pub fn could_run(&self) -> bool {
        false
    }
}
