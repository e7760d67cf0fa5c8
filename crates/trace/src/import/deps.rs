//! `deps.json`: the edges of a task graph and the kernels of its tasks.

use super::draft::Draft;
use super::json::{self, Each, Keys, Object, Uint};
use super::rows::Kernels;
use crate::TraceError;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use std::path::Path;

/// The name the file has beside the records it belongs to.
pub(super) const FILE_NAME: &str = "deps.json";

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    let mut document = Document {
        draft,
        has_edges: false,
    };
    json::read(path, Object(&mut document))
}

struct Document<'a> {
    draft: &'a mut Draft,
    has_edges: bool,
}

#[derive(Deserialize)]
struct TaskRow {
    task_id: Uint,
    kernel_ids: Option<[i64; 3]>,
}

#[derive(Deserialize)]
struct EdgeRow {
    pred: Uint,
    succ: Uint,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str = "an object with the key `edges`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let draft = &mut *self.draft;
        match key {
            "tasks" => {
                let expected = "an array of objects with `task_id`";
                map.next_value_seed(Each::new(expected, |row: TaskRow| {
                    let Some(ids) = row.kernel_ids else {
                        return Ok(());
                    };
                    let task_id = row.task_id.0;
                    let pushed = draft.kernels.push(Kernels { task_id, ids });
                    draft.kept(pushed)
                }))
            }
            "edges" => {
                self.has_edges = true;
                let expected = "an array of objects with `pred` and `succ`";
                map.next_value_seed(Each::new(expected, |row: EdgeRow| {
                    draft.edge(row.pred.0, row.succ.0)
                }))
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }

    fn missing(&self) -> Option<String> {
        (!self.has_edges).then(|| "missing field `edges`".to_owned())
    }
}
