//! Fixes chip and ring size, which are constants of a device program.

use std::env;

fn main() {
    println!("cargo::rerun-if-env-changed=LANESCOPE_CHIP");
    println!("cargo::rerun-if-env-changed=LANESCOPE_RING_SIZE");
    let chip = env::var("LANESCOPE_CHIP").unwrap_or_else(|_| "a2a3".to_owned());
    let ring_size = env::var("LANESCOPE_RING_SIZE").unwrap_or_else(|_| "2".to_owned());
    assert!(
        ["a2a3", "a5"].contains(&chip.as_str()),
        "LANESCOPE_CHIP is {chip}; expected a2a3 or a5"
    );
    assert!(
        ["1", "2", "4", "8", "16"].contains(&ring_size.as_str()),
        "LANESCOPE_RING_SIZE is {ring_size}; expected 1, 2, 4, 8 or 16"
    );
    println!("cargo::rustc-env=LANESCOPE_CHIP={chip}");
    println!("cargo::rustc-env=LANESCOPE_RING_SIZE={ring_size}");
}
