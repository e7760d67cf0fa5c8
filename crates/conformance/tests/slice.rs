//! Every workload on both chips with every ring size: numbers right, verdict exact, every record in place.

use lanescope_conformance::Case;
use lanescope_examples::WorkloadOptions;
use std::path::Path;

const PLATFORMS: [&str; 2] = ["a2a3sim", "a5sim"];
const RING_SIZES: [u32; 5] = [1, 2, 4, 8, 16];

fn on_every_build(name: &str) {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/data/reference_paged_attention.l2_perf_records.json");
    for platform in PLATFORMS {
        for ring_size in RING_SIZES {
            let mut workload =
                WorkloadOptions::named(name, Some(&recording)).expect("a known workload");
            if let WorkloadOptions::Replay(options) = &mut workload {
                options.tasks = Some(600);
            }
            let finished = Case::new(platform, ring_size, workload).run_exact();
            let cores = finished.trace.session().cores.len();
            assert_eq!(cores, if platform == "a2a3sim" { 72 } else { 108 });
            assert!(
                (200..=2000).contains(&finished.task_count),
                "{name}: {} tasks",
                finished.task_count
            );
        }
    }
}

#[test]
fn vector_is_exact() {
    let _device = lanescope_conformance::exclusive();
    on_every_build("vector");
}

#[test]
fn bgemm_is_exact() {
    let _device = lanescope_conformance::exclusive();
    on_every_build("bgemm");
}

#[test]
fn paged_attention_is_exact() {
    let _device = lanescope_conformance::exclusive();
    on_every_build("paged-attention");
}

#[test]
fn replay_is_exact() {
    let _device = lanescope_conformance::exclusive();
    on_every_build("replay");
}
