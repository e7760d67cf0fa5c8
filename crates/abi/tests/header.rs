//! The C header and this crate say the same: a C++ compiler computes the ABI hash from the header.
//!
//! The program folds what `sizeof` and `offsetof` say of the structures and fields in the header.

use lanescope_abi::ABI_HASH;
use lanescope_abi::hash::FIELDS;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

#[test]
fn a_cpp_compiler_computes_the_same_hash_from_the_header() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let layouts = layouts();
    let fields: usize = layouts.iter().map(|(_, fields)| fields.len()).sum();
    assert!(
        layouts.len() >= 20 && fields >= 150,
        "{fields} fields of {}",
        layouts.len()
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (program, hash) = (folder.join("hash.cpp"), folder.join("hash"));
    std::fs::write(&program, program_of(&layouts)).expect("the folder is writable");
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let compiled = Command::new(compiler)
        .args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&hash)
        .arg(&program)
        .arg("-I")
        .arg(package.join("include"))
        .status();
    assert!(compiled.expect("a C++ compiler can be started").success());
    let output = Command::new(&hash).output().expect("it was just built");
    let printed = String::from_utf8(output.stdout).expect("digits");
    assert_eq!(
        printed,
        format!("{ABI_HASH} {ABI_HASH}"),
        "computed, and as a constant"
    );
}

/// Structure names and their fields, in the order they are folded.
fn layouts() -> Vec<(&'static str, Vec<&'static str>)> {
    FIELDS
        .chunk_by(|one, other| one.structure == other.structure)
        .map(|fields| {
            let names = fields.iter().map(|field| field.name);
            (fields[0].structure, names.collect())
        })
        .collect()
}

fn program_of(layouts: &[(&str, Vec<&str>)]) -> String {
    let mut program = "#include \"lanescope_abi.h\"\n#include <cstdio>\n\
        static uint64_t hash = 0xCBF29CE484222325ull;\n\
        static void fold(uint64_t value) {\n\
        for (int byte = 0; byte < 8; ++byte) {\n\
        hash = (hash ^ ((value >> (8 * byte)) & 0xFF)) * 0x100000001B3ull;\n}\n}\n\
        int main() {\n"
        .to_owned();
    let constants = "ABI_VERSION CONTROL_MAGIC CAPTURE_MAGIC TOKEN_FIRST TOKEN_LAST DISPATCH_IDLE \
        DISPATCH_EXIT COND_IDLE COND_EXITED MAX_TASK_ARGS";
    let mut line = |text: std::fmt::Arguments<'_>| {
        program.write_fmt(text).expect("a string grows");
    };
    for constant in constants.split_ascii_whitespace() {
        line(format_args!("fold(LANESCOPE_{constant});\n"));
    }
    for (name, fields) in layouts {
        let name = snake(name);
        line(format_args!("fold(sizeof(lanescope_{name}));\n"));
        for field in fields {
            line(format_args!("fold(offsetof(lanescope_{name}, {field}));\n"));
        }
    }
    program += "std::printf(\"%llu %llu\", (unsigned long long)hash, \
        (unsigned long long)LANESCOPE_ABI_HASH);\n}\n";
    program
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}
