//! The numbers of every workload, proven on host memory: kernels compiled with the C++ compiler
//! and called one after another in an order that the edges allow.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod host;

use host::{Host, Order};
use lanescope_abi::{Chip, CoreType};
use lanescope_examples::{
    BgemmOptions, Built, KERNEL_NAMES, PagedAttentionOptions, ReplayOptions, Target, Tolerance,
    VectorOptions, WorkloadError, WorkloadOptions,
};
use std::collections::HashSet;
use std::path::PathBuf;

fn build(options: WorkloadOptions) -> Built {
    let workload = options.open().expect("sizes that can be");
    let built = workload
        .build(&Target {
            kernels: host::kernels(),
            chip: Chip::A2a3.info(),
        })
        .expect("every kernel is built");
    built.graph.check().expect("a graph that can run");
    built
}

/// Runs the graph in each order and checks the numbers.
fn prove(options: &WorkloadOptions) -> Built {
    let built = build(options.clone());
    for order in [Order::FirstReady, Order::LastReady, Order::Shuffled(7)] {
        let host = Host::run(&built.graph, order);
        let check = built.check(|tensor| host.read(tensor)).unwrap();
        assert!(check.compared > 0);
        if check.tolerance == Tolerance::Exact {
            assert_eq!(check.max_error, 0.0);
        }
    }
    built
}

fn recording(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data");
    folder.join(format!("{name}.l2_perf_records.json"))
}

fn core_types(built: &Built) -> [usize; 2] {
    let mut counts = [0; 2];
    for task in host::tasks(&built.graph) {
        match built.graph.task_core_type(task).unwrap() {
            CoreType::Aic => counts[0] += 1,
            CoreType::Aiv => counts[1] += 1,
        }
    }
    counts
}

#[test]
fn vector_is_equal_bit_for_bit() {
    let built = prove(&WorkloadOptions::Vector(VectorOptions::default()));
    assert_eq!(core_types(&built), [0, 960]);
    assert_eq!(built.graph.edge_count(), 960 - 96 + 2 * 48 * 2);
}

#[test]
fn vector_of_odd_sizes_is_equal_bit_for_bit() {
    for (tasks, tile, chains) in [(1, 1, 1), (211, 64, 7), (1000, 65, 1000), (333, 3, 2)] {
        let options = VectorOptions {
            tasks,
            tile,
            chains,
        };
        let built = prove(&WorkloadOptions::Vector(options));
        assert_eq!(built.graph.task_count() as u64, tasks);
    }
}

#[test]
fn bgemm_is_equal_bit_for_bit() {
    let built = prove(&WorkloadOptions::Bgemm(BgemmOptions::default()));
    assert_eq!(core_types(&built), [256, 256]);
}

#[test]
fn bgemm_of_odd_sizes_is_equal_bit_for_bit() {
    let options = BgemmOptions {
        batch: 3,
        m: 33,
        n: 17,
        k: 50,
        tile: 16,
    };
    let built = prove(&WorkloadOptions::Bgemm(options));
    assert_eq!(core_types(&built), [3 * 3 * 2 * 4; 2]);
}

#[test]
fn paged_attention_is_right() {
    let built = prove(&WorkloadOptions::PagedAttention(
        PagedAttentionOptions::default(),
    ));
    let [aic, aiv] = core_types(&built);
    assert_eq!(aic, aiv);
    assert!((200..=2000).contains(&(aic + aiv)));
}

#[test]
fn paged_attention_of_odd_sizes_is_right() {
    let options = PagedAttentionOptions {
        batch: 3,
        heads: 5,
        head_dim: 24,
        block_size: 7,
        context: 61,
        head_tile: 2,
    };
    prove(&WorkloadOptions::PagedAttention(options));
}

#[test]
fn replays_run_every_task_once_and_in_order() {
    for (name, rows) in [
        ("reference_vector", 4),
        ("reference_paged_attention", 12),
        ("reference_mixed", 23),
    ] {
        for tasks in [None, Some(3), Some(333)] {
            let options = ReplayOptions {
                file: recording(name),
                tasks,
            };
            let built = prove(&WorkloadOptions::Replay(options));
            let count = built.graph.task_count() as u64;
            assert_eq!(count, tasks.unwrap_or(rows));
            let ids: HashSet<_> = host::tasks(&built.graph)
                .map(|task| built.graph.task_identity(task))
                .collect();
            assert_eq!(ids.len() as u64, count, "ids are distinct");
        }
    }
}

#[test]
fn a_wrong_number_is_named() {
    let built = build(WorkloadOptions::Vector(VectorOptions::default()));
    let host = Host::run(&built.graph, Order::FirstReady);
    let error = built
        .check(|tensor| {
            host.read(tensor).map(|mut bytes| {
                bytes[4 * (1024 * 5 + 9)] ^= 1;
                bytes
            })
        })
        .expect_err("one bit differs");
    let text = error.to_string();
    assert!(
        text.starts_with("vector: 1 of 98304 values of data are wrong, first chain 5, element 9: "),
        "{text}"
    );
}

#[test]
fn a_task_left_out_or_run_twice_is_noticed() {
    let options = [
        WorkloadOptions::Vector(VectorOptions::default()),
        WorkloadOptions::PagedAttention(PagedAttentionOptions::default()),
        WorkloadOptions::Replay(ReplayOptions {
            file: recording("reference_paged_attention"),
            tasks: Some(200),
        }),
    ];
    for options in options {
        let built = build(options);
        for order in [Order::WithoutTask(101), Order::TaskTwice(103)] {
            let host = Host::run(&built.graph, order);
            match built.check(|tensor| host.read(tensor)) {
                Err(WorkloadError::Wrong(_)) => {}
                other => panic!("{} in order {order:?}: {other:?}", built.graph.name()),
            }
        }
    }
}

#[test]
fn edges_are_needed() {
    let built = build(WorkloadOptions::Vector(VectorOptions::default()));
    let host = Host::run(&built.graph, Order::Backwards);
    built
        .check(|tensor| host.read(tensor))
        .expect_err("run against the edges");
}

#[test]
fn a_result_that_cannot_be_read_is_an_error() {
    let built = build(WorkloadOptions::Bgemm(BgemmOptions::default()));
    let error = built.check(|_| Err("gone")).expect_err("no bytes");
    assert_eq!(error.to_string(), "bgemm: reading c back");
    let error = built
        .check(|_| Ok::<_, std::io::Error>(vec![0; 12]))
        .expect_err("too few bytes");
    assert_eq!(error.to_string(), "bgemm: c has 12 bytes, expected 262144");
}

#[test]
fn every_kernel_in_the_folder_is_named_once() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, KERNEL_NAMES);
}

#[test]
fn costs_follow_the_shapes() {
    // fixed ns, cube, vector and scalar cycles, bytes read, bytes written
    let cases: [(&str, &[u64], [u64; 6]); 9] = [
        ("vector_add", &[0, 0, 0, 65], [300, 0, 2, 8, 520, 260]),
        ("vector_mul", &[0, 0, 0, 64], [300, 0, 1, 4, 512, 256]),
        ("vector_fused", &[0, 0, 0, 0, 64], [300, 0, 2, 4, 768, 256]),
        (
            "gemm_tile",
            &[0, 0, 9, 0, 9, 32, 17, 16],
            [600, 16, 0, 16, 3136, 2176],
        ),
        (
            "gemm_accumulate",
            &[0, 9, 0, 8, 16, 1],
            [300, 0, 2, 8, 512, 512],
        ),
        (
            "gemm_accumulate",
            &[0, 9, 0, 8, 16, 0],
            [300, 0, 2, 8, 1024, 512],
        ),
        (
            "attention_qk",
            &[0, 0, 0, 0, 0, 16, 64, 32, 20, 0],
            [600, 32, 0, 8, 9220, 1280],
        ),
        (
            "attention_softmax",
            &[0, 0, 0, 16, 32, 20],
            [300, 0, 112, 64, 1280, 1408],
        ),
        (
            "attention_pv",
            &[0, 0, 0, 0, 0, 16, 64, 32, 20],
            [600, 32, 0, 16, 6404, 4096],
        ),
    ];
    for (kernel, args, expected) in cases {
        let cost = host::cost(kernel, args);
        let found = [
            cost.fixed_ns,
            cost.cube_cycles,
            cost.vector_cycles,
            cost.scalar_cycles,
            cost.read_bytes,
            cost.write_bytes,
        ];
        assert_eq!(found, expected, "{kernel}");
        assert_eq!(cost.exact_ticks, 0, "{kernel}");
    }
    assert_eq!(host::cost("replay", &[31_253, 0, 0]).exact_ticks, 31_253);
    let middle = host::cost("attention_update", &[0, 0, 0, 0, 16, 64, 0, 0]);
    let last = host::cost("attention_update", &[0, 0, 0, 0, 16, 64, 0, 1]);
    assert_eq!(
        (middle.vector_cycles, last.vector_cycles),
        (16 * 11, 16 * 15)
    );
}
