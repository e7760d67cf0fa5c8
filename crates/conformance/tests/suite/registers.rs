//! The register table: one window for each physical core, laid out as the chip has them.

use lanescope::Chip;
use lanescope_conformance::{CaseResult, Stand, SuiteCase};
use std::collections::BTreeSet;

pub const CASES: &[SuiteCase] = &[
    SuiteCase::new(
        "registers::every_usable_core_has_a_window_of_its_own",
        &[],
        every_usable_core_has_a_window_of_its_own,
    ),
    SuiteCase::new(
        "registers::vector_cores_follow_their_cube_core",
        &[],
        vector_cores_follow_their_cube_core,
    ),
    SuiteCase::new(
        "registers::the_table_stays_the_same",
        &[],
        the_table_stays_the_same,
    ),
    SuiteCase::new(
        "registers::counter_pages_lie_as_the_windows_do_and_apart_from_them",
        &[],
        counter_pages_lie_as_the_windows_do_and_apart_from_them,
    ),
];

const CORES_PER_CLUSTER: usize = 3;

fn every_usable_core_has_a_window_of_its_own(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let table = device.register_table()?;
    let chip = stand.info().chip.info();
    assert_eq!(table.len(), chip.physical_cores as usize);
    let usable: Vec<u64> = table.into_iter().filter(|window| *window != 0).collect();
    let launched = stand.info().clusters as usize * CORES_PER_CLUSTER;
    assert!(
        usable.len() >= launched,
        "{} windows for {launched} cores",
        usable.len()
    );
    let sorted: BTreeSet<u64> = usable.iter().copied().collect();
    assert_eq!(sorted.len(), usable.len(), "two cores share a window");
    let stride = chip.registers.sub_core_stride_bytes;
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        assert!(next - one >= stride, "{one:#x} and {next:#x} overlap");
    }
    Ok(())
}

fn vector_cores_follow_their_cube_core(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let table = device.register_table()?;
    let chip = stand.info().chip.info();
    // Cube cores of one group; behind each group come the vector cores of its cubes, two each.
    let cubes = match chip.chip {
        Chip::A2a3 => 25,
        Chip::A5 => 18,
    };
    for (die, group) in table.chunks(cubes * CORES_PER_CLUSTER).enumerate() {
        assert_eq!(group.len(), cubes * CORES_PER_CLUSTER);
        for cube in 0..cubes {
            let base = group[cube];
            for sub in 0..2 {
                let window = group[cubes + 2 * cube + sub];
                let expected = match base {
                    0 => 0,
                    base => base + (sub as u64 + 1) * chip.registers.sub_core_stride_bytes,
                };
                assert_eq!(window, expected, "vector core {sub} of {die}.{cube}");
            }
        }
    }
    Ok(())
}

fn counter_pages_lie_as_the_windows_do_and_apart_from_them(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let pages = device.pmu_register_table()?;
    let registers = &stand.info().chip.info().registers;
    if !registers.pmu.has_page {
        assert_eq!(pages, Vec::<u64>::new());
        return Ok(());
    }
    let windows = device.register_table()?;
    assert_eq!(pages.len(), windows.len());
    let mut distances = BTreeSet::new();
    for (page, window) in pages.iter().zip(&windows) {
        assert_eq!(*page == 0, *window == 0, "an unusable core has neither");
        if *window != 0 {
            distances.insert(page.wrapping_sub(*window));
            let is_near = |other: &&u64| {
                **other != 0 && other.abs_diff(*page) < registers.sub_core_stride_bytes
            };
            assert_eq!(windows.iter().find(is_near), None, "page {page:#x}");
        }
    }
    assert_eq!(distances.len(), 1, "{distances:x?}");
    Ok(())
}

fn the_table_stays_the_same(stand: &Stand) -> CaseResult {
    let device = stand.open()?;
    let table = device.register_table()?;
    assert_eq!(device.register_table()?, table);
    let second = stand.open()?;
    let of_second = second.register_table()?;
    assert_eq!(of_second.len(), table.len());
    Ok(())
}
