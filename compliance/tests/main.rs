//! Real MTAs and real milters, and what stands in for them: one program.
//!
//! `zz_page` is another one, as it reads what this one has shown.

#[macro_use]
mod support;

mod captures;
mod changes;
mod examples;
mod failures;
mod health_checks;
mod milter_clamav;
mod milter_miltertest;
mod milter_opendkim;
mod milter_perl;
mod milter_python;
mod milter_spamass;
mod milter_try;
mod negotiation;
mod played;
mod restart;
mod restart_activated;
mod scaling;
mod self_check;
mod sessions;
mod several_milters;
mod slow;
mod submission;
mod symptoms;
mod transcripts;
mod verdicts;
