//! One trace event, as far as it is read.

use super::super::json::Uint;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// One trace event.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) ph: String,
    pub(super) name: String,
    pub(super) pid: Number,
    pub(super) tid: Number,
    pub(super) ts: Nanoseconds,
    pub(super) dur: Option<Nanoseconds>,
    pub(super) args: Arguments,
}

/// The arguments that known writers give.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Arguments {
    #[serde(deserialize_with = "text_or_nothing")]
    pub(super) name: Option<String>,
    #[serde(alias = "taskId", deserialize_with = "uint_or_nothing")]
    pub(super) task_id: Option<Uint>,
    pub(super) func_id: Option<u32>,
    pub(super) token: Option<u32>,
    receive_wait_us: Option<Nanoseconds>,
    head_wait_us: Option<Nanoseconds>,
    #[serde(rename = "fanout-hint")]
    pub(super) fanout_hint: Option<String>,
    #[serde(rename = "event-hint")]
    event_hint: Option<String>,
    pub(super) loop_iter: Option<u64>,
    pub(super) tasks_processed: Option<u64>,
    pub(super) pop_hit: Option<u64>,
    pub(super) pop_miss: Option<u64>,
    #[serde(alias = "submit_idx")]
    pub(super) submit_index: Option<u64>,
}

impl Arguments {
    /// The function, as our export or the reference's says it.
    pub(super) fn function(&self) -> Option<u32> {
        let hinted = || {
            let (_, rest) = self.event_hint.as_deref()?.split_once("FuncId:")?;
            rest.split(',').next()?.trim().parse().ok()
        };
        self.func_id.or_else(hinted)
    }
}

impl Event {
    pub(super) fn track(&self) -> (Number, Number) {
        (self.pid.clone(), self.tid.clone())
    }

    /// Whether a time had parts of a nanosecond.
    pub(super) const fn is_rounded(&self) -> bool {
        self.ts.1 || matches!(self.dur, Some(Nanoseconds(_, true)))
    }

    /// When the core saw the task, which our export tells as waits before the start; 0 when it does not.
    pub(super) fn received(&self, start: u64) -> u64 {
        let args = &self.args;
        let waits = args.head_wait_us.zip(args.receive_wait_us);
        let received = waits.and_then(|(head, receive)| (start + receive.0).checked_sub(head.0));
        received.unwrap_or(0)
    }

    /// The name without what the reference writes behind it, as in `complete(3)` or `QK(t7)`.
    pub(super) fn split_name(&self) -> (&str, Option<u64>) {
        let split = self
            .name
            .strip_suffix(')')
            .and_then(|name| name.rsplit_once('('));
        match split {
            Some((name, inner)) if inner.parse::<u64>().is_ok() || shown_task(inner).is_some() => {
                (name, inner.parse().ok())
            }
            _ => (&self.name, None),
        }
    }
}

/// A task as the reference shows it: `t7`, and `r2t5` on ring 2.
pub(super) fn shown_task(text: &str) -> Option<u64> {
    let (ring, local) = match text.strip_prefix('r') {
        Some(rest) => rest.split_once('t')?,
        None => ("0", text.strip_prefix('t')?),
    };
    let ring: u8 = ring.parse().ok()?;
    let local: u32 = local.parse().ok()?;
    Some(u64::from(ring) << 32 | u64::from(local))
}

/// A process or thread id, which some writers give as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Number {
    Uint(u64),
    Text(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Uint(0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a process or thread id")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number::Uint(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number::Uint(value.cast_unsigned()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(text
                    .parse()
                    .map_or_else(|_| Number::Text(text.to_owned()), Number::Uint))
            }
        }
        from.deserialize_any(NumberVisitor)
    }
}

/// Microseconds, as a number or as text, as nanoseconds; and whether they were rounded to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nanoseconds(pub(super) u64, pub(super) bool);

/// Doubles hold every whole nanosecond up to here.
const LAST_EXACT_NS: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = Nanoseconds;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("microseconds, not below 0, as a number or as text")
            }

            fn visit_u64<E: Error>(self, us: u64) -> Result<Nanoseconds, E> {
                let ns = us.checked_mul(1000).filter(|&ns| ns < u64::MAX);
                let ns =
                    ns.ok_or_else(|| E::custom(format!("{us} µs do not fit 64 bits of ns")))?;
                Ok(Nanoseconds(ns, false))
            }

            fn visit_f64<E: Error>(self, us: f64) -> Result<Nanoseconds, E> {
                let ns = us * 1000.0;
                if !(0.0..=LAST_EXACT_NS).contains(&ns) {
                    return Err(E::custom(format!(
                        "{us}, expected microseconds from 0 to 9e12"
                    )));
                }
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0..=2^53, whole, checked above"
                )]
                let whole = ns.round() as u64;
                Ok(Nanoseconds(whole, (ns - ns.round()).abs() > 0.01))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Nanoseconds, E> {
                let us = text.trim().parse::<f64>();
                let us = us.map_err(|_| E::custom(format!("`{text}`, expected microseconds")))?;
                self.visit_f64(us)
            }
        }
        from.deserialize_any(TimeVisitor)
    }
}

/// Metadata of other programs may be anything; only text is a name.
fn text_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(serde_json::Value::deserialize(from)?
        .as_str()
        .map(str::to_owned))
}

fn uint_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Uint>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}
