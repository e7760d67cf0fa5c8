//! The suite: one set of cases, run on every platform; how to add one is in the crate's docs.
//!
//! # What it runs on
//!
//! Both simulated platforms, or the one that `LANESCOPE_CONFORMANCE_PLATFORM` names, there on
//! device `LANESCOPE_CONFORMANCE_DEVICE`, with the builds that `LANESCOPE_CONFORMANCE_RING_SIZES`
//! lists; `cargo xtask conformance` sets all three. A device is one context of the process, so the
//! cases run one after the other.

#![expect(clippy::print_stderr, reason = "a program of its own")]

mod capture;
mod clock;
mod coherence;
mod errors;
mod launch;
mod mapping;
mod memory;
mod registers;
mod release;
mod synchronize;

use lanescope_conformance::{Stand, SuiteCase, chain};
use libtest_mimic::{Arguments, Failed, Trial};
use std::env::var;
use std::process::ExitCode;

/// Every subject, in the order in which a platform is brought up.
const SUBJECTS: [&[SuiteCase]; 10] = [
    memory::CASES,
    mapping::CASES,
    registers::CASES,
    release::CASES,
    errors::CASES,
    launch::CASES,
    synchronize::CASES,
    coherence::CASES,
    clock::CASES,
    capture::CASES,
];

/// What each simulated platform skips: cases for a device with the other kind of mapping.
const SKIPPED: [(&str, &[&str]); 2] = [
    (
        "a2a3sim",
        &["coherence::nothing_moves_but_what_was_asked_for"],
    ),
    ("a5sim", &["coherence::a_coherent_view_needs_no_call"]),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let stands = match stands() {
        Ok(stands) => stands,
        Err(text) => {
            eprintln!("lanescope: {text}");
            return ExitCode::from(2);
        }
    };
    let trials = stands.iter().flat_map(|stands| trials(stands)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// For each platform, the device with each of the builds.
fn stands() -> Result<Vec<Vec<Stand>>, String> {
    let device = var("LANESCOPE_CONFORMANCE_DEVICE").unwrap_or_else(|_| "0".to_owned());
    let device = number(&device)?;
    let ring_sizes =
        var("LANESCOPE_CONFORMANCE_RING_SIZES").unwrap_or_else(|_| "2,1,4,8,16".to_owned());
    let ring_sizes: Vec<u32> = ring_sizes
        .split(',')
        .map(number)
        .collect::<Result<_, _>>()?;
    let platforms = match var("LANESCOPE_CONFORMANCE_PLATFORM") {
        Ok(platform) => vec![platform],
        Err(_) => SKIPPED.map(|(platform, _)| platform.to_owned()).into(),
    };
    platforms
        .iter()
        .map(|platform| on_platform(platform, device, &ring_sizes))
        .collect()
}

fn on_platform(platform: &str, device: u32, ring_sizes: &[u32]) -> Result<Vec<Stand>, String> {
    let first = Stand::find(platform, device, ring_sizes[0]);
    let first = first.map_err(|error| chain(&*error))?;
    let others = ring_sizes[1..].iter().map(|ring_size| {
        first
            .with_ring_size(*ring_size)
            .map_err(|error| chain(&*error))
    });
    std::iter::once(Ok(first.clone())).chain(others).collect()
}

fn number(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{text:?} is no number"))
}

/// A trial for each case, and one more that nothing is skipped in silence.
fn trials(stands: &[Stand]) -> Vec<Trial> {
    let first = &stands[0];
    let platform = first.platform();
    let mut trials = Vec::new();
    let mut skipped = Vec::new();
    for case in SUBJECTS.into_iter().flatten() {
        let missing = first.missing(case.needs);
        if missing.is_some() {
            skipped.push(case.name);
        }
        let stands = if case.is_for_every_ring_size {
            stands
        } else {
            &stands[..1]
        };
        for stand in stands {
            let mut name = format!("{platform}::{}", case.name);
            if case.is_for_every_ring_size {
                name += &format!("::ring{}", stand.build().ring_size());
            }
            let stand = stand.clone();
            let run = move || stand.run(case).map_err(Failed::from);
            let trial = Trial::test(name, run);
            trials.push(match &missing {
                None => trial,
                Some(reason) => trial.with_kind(reason.clone()).with_ignored_flag(true),
            });
        }
    }
    if let Some((_, expected)) = SKIPPED.iter().find(|(name, _)| *name == platform) {
        let name = format!("{platform}::nothing_is_skipped_but_what_is_listed");
        trials.push(Trial::test(name, move || {
            if skipped == *expected {
                return Ok(());
            }
            Err(format!("skipped: {skipped:?}, expected: {expected:?}").into())
        }));
    }
    trials
}
