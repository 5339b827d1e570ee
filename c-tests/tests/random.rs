//! Random sessions with both libraries.
//!
//! `SESSIONS=200000 SEED=7 cargo test -p c-tests random::` plays more of them, or others.

use c_tests::random::{Generated, Outcome, PROFILES, Pair, Profile, generate};
use c_tests::trace::process::{Registration, program};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

fn registration(profile: &Profile) -> Registration {
    Registration::parse(profile.filter).unwrap()
}

/// Leaves out whatever is not needed for the sessions to differ.
fn smallest(pair: &mut Pair<'_>, mut session: Generated) -> Generated {
    let mut differs =
        |session: &Generated| matches!(pair.compare(session), Ok(Outcome::Different(_)));
    loop {
        let before = session.clone();
        for at in (0..session.commands.len()).rev() {
            let mut shorter = session.clone();
            shorter.commands.remove(at);
            if differs(&shorter) {
                session = shorter;
            }
        }
        for at in (0..session.on.len()).rev() {
            let mut shorter = session.clone();
            let line = shorter.on.remove(at);
            let head = line.split(':').next().unwrap_or_default();
            if let Some((callback, n)) = head.split_once('#') {
                shorter
                    .results
                    .retain(|(name, call), _| *name != callback || call.to_string() != n);
            }
            if differs(&shorter) {
                session = shorter;
            }
        }
        if session == before {
            return session;
        }
    }
}

#[test]
fn both_libraries_treat_random_sessions_alike() {
    let count = usize::try_from(setting("SESSIONS", 10_000)).unwrap();
    let seed = setting("SEED", 1);
    let program = program().unwrap();
    let outcomes: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let failures: Mutex<Vec<String>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let per_profile = count.div_ceil(PROFILES.len());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(profile) = PROFILES.get(number) else { break };
            let registration = registration(profile);
            let mut pair = Pair::new(&program, profile);
            for session in 0..per_profile {
                let mut rng = fastrand::Rng::with_seed(
                    seed.wrapping_mul(1_000_003) ^ (number as u64) << 40 ^ session as u64,
                );
                let generated = generate::generate(&mut rng, profile, &registration);
                let outcome = pair.compare(&generated).unwrap();
                let name = match &outcome {
                    Outcome::Equal => "equal".to_owned(),
                    Outcome::EqualUntil(id) => (*id).to_owned(),
                    Outcome::Different(_) => "different".to_owned(),
                };
                *outcomes.lock().unwrap().entry(name).or_default() += 1;
                if let Outcome::Different(first) = outcome {
                    let whole = generated.text(profile, usize::MAX);
                    let small = smallest(&mut pair, generated);
                    let problem = match pair.compare(&small) {
                        Ok(Outcome::Different(text)) => {
                            format!("{}\n{text}", small.text(profile, usize::MAX))
                        }
                        _ => format!("not every time:\n{whole}\n{first}"),
                    };
                    failures.lock().unwrap().push(problem);
                    // One of a profile is enough to look at.
                    break;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    let outcomes = outcomes.into_inner().unwrap();
    println!("seed {seed}: {outcomes:?}");
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "seed {seed}: {} kinds\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    let equal = outcomes.get("equal").copied().unwrap_or(0);
    assert!(equal * 2 > count, "too few sessions were compared to the end: {outcomes:?}");
}
