//! `name_map_<label>.json`: names of functions, and of the orchestrator.

use super::draft::Draft;
use super::input::Input;
use crate::TraceError;
use crate::reference::Names;

pub(super) fn read(input: &Input, draft: &mut Draft) -> Result<(), TraceError> {
    let names = Names::read(input.open()?, input.path())?;
    let functions = names.functions.iter();
    draft
        .functions
        .extend(functions.map(|(func_id, name)| (func_id, name.to_owned())));
    draft.note(
        names.passed_over,
        "[name|names] whose key is no function id",
    );
    if let Some(orchestrator) = names.orchestrator {
        draft.workload = orchestrator;
    }
    Ok(())
}
