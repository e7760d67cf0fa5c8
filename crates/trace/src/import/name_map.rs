//! `name_map_<label>.json`: names of functions, and of the orchestrator.

use super::draft::Draft;
use super::json::{self, Keys, Object};
use crate::TraceError;
use serde::de::{Error, IgnoredAny, MapAccess};
use std::path::Path;

pub(super) fn read(path: &Path, draft: &mut Draft) -> Result<(), TraceError> {
    json::read(path, Object(&mut Document { draft }))
}

struct Document<'a> {
    draft: &'a mut Draft,
}

impl<'de> Keys<'de> for Document<'_> {
    const EXPECTED: &'static str = "an object with the key `callable_id_to_name`";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let draft = &mut *self.draft;
        match key {
            "callable_id_to_name" => map.next_value_seed(Object(&mut Names { draft })),
            "orchestrator_name" => {
                if let Some(name) = map.next_value::<Option<String>>()? {
                    draft.workload = name;
                }
                Ok(())
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

struct Names<'a> {
    draft: &'a mut Draft,
}

impl<'de> Keys<'de> for Names<'_> {
    const EXPECTED: &'static str = "an object of names by function id";

    fn key<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let func_id = key
            .parse()
            .map_err(|_| A::Error::custom(format!("`{key}`, expected a function id")))?;
        self.draft.functions.insert(func_id, map.next_value()?);
        Ok(())
    }
}
