//! NumPy files of every type and rank, read back as the format says.

use lanescope_abi::Checksum;
use lanescope_export::npy;
use lanescope_trace::{Dtype, TensorRow, Trace, TraceParts};

/// Header and bytes of the file for a tensor with these bytes.
fn written(row: TensorRow, bytes: &[u8]) -> (String, Vec<u8>) {
    let row = TensorRow {
        payload_bytes: bytes.len() as u64,
        checksum: Checksum::of(bytes),
        ..row
    };
    let trace = Trace::new(TraceParts {
        tensors: vec![vec![row]],
        payloads: vec![(0, 64, bytes.to_vec())],
        ..TraceParts::default()
    });
    let row = trace.tensors().next().unwrap();
    let mut file = Vec::new();
    npy::write(&row, &trace.payload(&row).unwrap(), &mut file).unwrap();
    assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
    assert!((10 + length).is_multiple_of(64));
    let header = String::from_utf8(file[10..10 + length].to_vec()).unwrap();
    assert!(header.ends_with('\n'));
    (header.trim_end().to_owned(), file[10 + length..].to_vec())
}

fn shaped(dtype: Dtype, shape: &[u32]) -> TensorRow {
    let mut row = TensorRow {
        dtype: Some(dtype),
        rank: u8::try_from(shape.len()).unwrap(),
        ..TensorRow::default()
    };
    row.shape[..shape.len()].copy_from_slice(shape);
    row
}

#[test]
fn every_rank_has_the_shape_of_a_tuple() {
    for (shape, tuple) in [
        (&[][..], "()"),
        (&[3], "(3,)"),
        (&[3, 1], "(3, 1)"),
        (&[1, 3, 1, 1, 1], "(1, 3, 1, 1, 1)"),
    ] {
        let bytes = vec![7; 4 * shape.iter().product::<u32>() as usize];
        let (header, data) = written(shaped(Dtype::Float32, shape), &bytes);
        let expected = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {tuple}, }}");
        assert_eq!(header, expected);
        assert_eq!(data, bytes);
    }
}

#[test]
fn every_type_has_its_description() {
    let descriptions = [
        "<f4", "<f2", "<i4", "<i2", "|i1", "|u1", "<u2", "<i8", "<u8", "<u2", "<u4",
    ];
    for (dtype, description) in Dtype::ALL.into_iter().zip(descriptions) {
        let bytes = vec![1; 2 * dtype.bytes() as usize];
        let (header, _) = written(shaped(dtype, &[2]), &bytes);
        assert!(header.contains(&format!("'{description}'")), "{header}");
    }
}

#[test]
fn what_is_no_whole_tensor_is_bytes() {
    let cut = TensorRow {
        is_truncated: true,
        ..shaped(Dtype::Float32, &[8])
    };
    let (header, data) = written(cut, &[1, 2, 3]);
    assert!(
        header.contains("'|u1'") && header.contains("(3,)"),
        "{header}"
    );
    assert_eq!(data, [1, 2, 3]);
    let unknown = TensorRow {
        dtype: None,
        ..shaped(Dtype::Float32, &[2])
    };
    let (header, _) = written(unknown, &[1; 6]);
    assert!(
        header.contains("'|u1'") && header.contains("(6,)"),
        "{header}"
    );
}
