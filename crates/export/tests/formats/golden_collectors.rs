//! What the reference's exporters wrote for counters and tensors is reproduced byte for byte.

use lanescope_export::ExportError;
use lanescope_export::tensor_dump::{Tensor, Writer};
use lanescope_export::{pmu_csv, tensor_dump};
use lanescope_trace::{Chip, CoreType, Dtype, PmuRow, Role, Stage, Trace};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn case(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(data(&format!("{name}.json"))).unwrap()).unwrap()
}

fn number<T: TryFrom<u64>>(value: &Value) -> T {
    let number = value.as_u64().unwrap();
    T::try_from(number).ok().unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The rows in the order of the ready queues: thread by thread, core by core.
fn pmu_rows(case: &Value) -> Vec<PmuRow> {
    let threads = numbers(&case["params"]["core_thread"]);
    let mut rows = Vec::new();
    let cores = case["expected"]["records_per_core"].as_array().unwrap();
    for (core, records) in (0_u16..).zip(cores) {
        for record in records.as_array().unwrap() {
            let mut counters = [0; 10];
            for (to, from) in counters.iter_mut().zip(numbers(&record[4])) {
                *to = from;
            }
            rows.push(PmuRow {
                task_id: number(&record[0]),
                func_id: number(&record[1]),
                core,
                core_type: CoreType::from_raw(number(&record[2])).unwrap(),
                thread: threads[usize::from(core)],
                event: number(&case["params"]["event_type"]),
                total_cycles: number(&record[3]),
                counters,
                ..PmuRow::default()
            });
        }
    }
    rows.sort_by_key(|row| row.thread);
    rows
}

#[test]
fn counters_of_both_chips_and_every_recorded_event_type() {
    for chip in Chip::ALL {
        for event in [1, 2, 4, 6] {
            let name = format!("{}_pmu_event{event}", chip.name());
            let rows = pmu_rows(&case(&name));
            assert_eq!(rows.len(), 6);
            let mut written = Vec::new();
            pmu_csv::write_rows(chip, event, rows, &mut written).unwrap();
            let expected = std::fs::read_to_string(data(&format!("{name}.pmu.csv"))).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn counters_that_an_event_type_leaves_unused_have_no_column() {
    for chip in Chip::ALL {
        for event in chip.info().pmu_events {
            let mut counters = [0; 10];
            for (value, counter) in (100..).zip(&mut counters) {
                *counter = value;
            }
            let row = PmuRow {
                counters,
                event: event.number,
                ..PmuRow::default()
            };
            let mut written = Vec::new();
            pmu_csv::write_rows(chip, event.number, [row], &mut written).unwrap();
            let text = String::from_utf8(written).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let header = lines[0].split(',').skip(6);
            let values = lines[1].split(',').skip(6);
            let mut columns = 0;
            for (column, value) in header.zip(values) {
                if column == "event_type" {
                    assert_eq!(value, event.number.to_string());
                    continue;
                }
                // The value says which counter it is, wherever its column stands.
                let counter = value.parse::<usize>().unwrap() - 100;
                assert_eq!(event.counters[counter].column, column, "{text}");
                columns += 1;
            }
            let used = event.counters.iter();
            let used = used.filter(|counter| !counter.column.is_empty());
            assert_eq!(columns, used.count());
        }
    }
}

#[test]
fn what_has_no_name_or_no_rows_is_an_error() {
    let error = pmu_csv::write_rows(Chip::A5, 3, [], Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::PmuEvent { event: 3, .. }));
    let trace = Trace::default();
    let error = pmu_csv::write(&trace, Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::NoPmu));
    let error = tensor_dump::write(&trace, Vec::new(), Vec::new()).unwrap_err();
    assert!(matches!(error, ExportError::NoTensors));
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

#[test]
fn a_dump_of_every_type_and_rank() {
    let case = case("a2a3_dump_main");
    let mut payload = Vec::new();
    let mut writer = Writer::new(&mut payload);
    let threads = case["expected"]["records_per_thread"].as_array().unwrap();
    for record in threads
        .iter()
        .flat_map(|records| records.as_array().unwrap())
    {
        let rank: usize = number(&record["ndims"]);
        let dimensions = |key: &str| numbers(&record[key])[..rank].to_vec();
        let (shape, raw_shape) = (dimensions("shapes"), dimensions("raw_shapes"));
        let offsets = dimensions("offsets");
        let tensor = Tensor {
            task_id: number(&record["task_id"]),
            subtask_id: number(&record["subtask_id"]),
            func_id: number(&record["func_id"]),
            role: Role::from_raw(number(&record["role"])).unwrap(),
            stage: Stage::from_raw(number(&record["stage"])).unwrap(),
            arg_index: number(&record["arg_index"]),
            dtype: Dtype::from_raw(number(&record["dtype"])),
            is_contiguous: record["is_contiguous"] == 1,
            shape: &shape,
            raw_shape: &raw_shape,
            offsets: &offsets,
            is_truncated: record["truncated"] == 1,
            is_overwritten: record["host_overwritten"] == 1,
        };
        let bytes = bytes(record["bytes_hex"].as_str().unwrap());
        // In pieces, as a capture holds them.
        let pieces: Vec<&[u8]> = bytes.chunks(7).collect();
        writer.add(&tensor, &pieces).unwrap();
    }
    let mut manifest = Vec::new();
    let written = writer.finish(0, &mut manifest).unwrap();
    assert_eq!((written.tensors, written.overwritten), (574, 0));
    let expected = std::fs::read(data("a2a3_dump_main.tensor_dump.bin")).unwrap();
    assert_eq!(payload, expected);
    let expected = std::fs::read_to_string(data("a2a3_dump_main.tensor_dump.json")).unwrap();
    assert_eq!(String::from_utf8(manifest).unwrap(), expected);
}

/// What a manifest says is said again when its import is exported: also what strides would not make so.
#[test]
fn a_dump_that_was_imported_is_exported_as_it_was() {
    let shapes: [(&[u32], &[u32]); 5] = [
        (&[4], &[9]),
        (&[3, 4], &[8, 4]),
        (&[3, 4], &[3, 4]),
        (&[3, 4], &[3, 8]),
        (&[2, 3, 4], &[2, 3, 4]),
    ];
    let mut payload = Vec::new();
    let mut writer = Writer::new(&mut payload);
    for (task_id, (shape, raw_shape)) in (0..).zip(shapes) {
        for is_contiguous in [true, false] {
            let bytes = vec![1; shape.iter().product::<u32>() as usize];
            let tensor = Tensor {
                task_id,
                subtask_id: 0,
                func_id: u32::from(is_contiguous),
                role: Role::Input,
                stage: Stage::BeforeDispatch,
                arg_index: 0,
                dtype: Some(Dtype::Int8),
                is_contiguous,
                shape,
                raw_shape,
                offsets: &[0, 0, 0][..shape.len()],
                is_truncated: false,
                is_overwritten: false,
            };
            writer.add(&tensor, &[&bytes]).unwrap();
        }
    }
    let mut manifest = Vec::new();
    writer.finish(7, &mut manifest).unwrap();
    let folder = std::env::temp_dir().join(format!("lanescope-dump-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("tensor_dump.bin"), &payload).unwrap();
    std::fs::write(folder.join("tensor_dump.json"), &manifest).unwrap();
    let trace = Trace::open(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let trace = trace.unwrap();
    let (mut bytes, mut text) = (Vec::new(), Vec::new());
    tensor_dump::write(&trace, &mut bytes, &mut text).unwrap();
    assert_eq!(bytes, payload);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        String::from_utf8(manifest).unwrap()
    );
}
