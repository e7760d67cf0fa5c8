//! Gives the C library its name, so that programs record that and not the path they linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,liblanescope.so");
}
