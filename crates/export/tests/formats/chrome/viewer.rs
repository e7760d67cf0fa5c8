//! Reads slices as Perfetto's own reader of Chrome JSON does: what it would drop fails the test.

use serde_json::Value;
use std::collections::HashMap;

/// A slice, with the event it began with.
pub struct Slice {
    /// Process and thread.
    pub track: (u64, u64),
    pub start_ns: i64,
    pub end_ns: i64,
    pub start_us: String,
    pub end_us: String,
    /// Slices around it.
    pub depth: usize,
    pub event: Value,
}

/// The slices of a document, in the order in which they end.
pub fn slices(text: &str) -> Vec<Slice> {
    let events = text.lines().filter(|line| line.starts_with("{\"ph\":"));
    let mut events: Vec<(i64, bool, String, Value)> = events
        .filter_map(|line| {
            let event: Value = serde_json::from_str(line.trim_end_matches(',')).unwrap();
            let at = field(line, "ts")?.to_owned();
            Some((nanoseconds(&at), event["ph"] != "X", at, event))
        })
        .collect();
    // In order of time, whole slices first, else as in the file.
    events.sort_by_key(|&(at, is_part, ..)| (at, is_part));
    let mut open: HashMap<(u64, u64), Vec<Slice>> = HashMap::new();
    let mut ended = Vec::new();
    for (at_ns, _, at, event) in events {
        let track = ["pid", "tid"].map(|key| event[key].as_u64().unwrap());
        let open = open.entry(track.into()).or_default();
        match event["ph"].as_str().unwrap() {
            "B" => open.push(Slice {
                track: track.into(),
                start_ns: at_ns,
                end_ns: at_ns,
                start_us: at.clone(),
                end_us: at,
                depth: open.len(),
                event,
            }),
            "E" => {
                let mut slice = open.pop().expect("a slice that ends has begun");
                (slice.end_ns, slice.end_us) = (at_ns, at);
                ended.push(slice);
            }
            "X" => panic!("its end is a sum of two times, each cut off: {event}"),
            _ => {}
        }
    }
    assert!(open.values().all(Vec::is_empty), "slices without an end");
    ended
}

/// The text of a number, which no reader of JSON has rounded yet.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(&format!(",\"{name}\":"))?;
    rest.split([',', '}']).next()
}

/// Digits into a double, times 1000, cut off.
#[expect(clippy::cast_possible_truncation, reason = "as that reader does")]
fn nanoseconds(us: &str) -> i64 {
    let digits = |text: &str| {
        let digits = text.bytes().map(|digit| f64::from(digit - b'0'));
        digits.fold(0.0, |value, digit| value * 10.0 + digit)
    };
    let (whole, parts) = us.split_once('.').unwrap_or((us, ""));
    let divisor = parts.bytes().fold(1.0, |divisor, _| divisor * 10.0);
    ((digits(whole) + digits(parts) / divisor) * 1000.0) as i64
}
