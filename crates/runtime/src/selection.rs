//! Which tensors of a graph are recorded, and how a user says it.

use crate::{Result, RuntimeError};
use lanescope_abi::Stage;
use std::str::FromStr;

/// Which of a graph's described tensors are recorded: those that every list has, and an empty list
/// has all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpSelection {
    /// Identities of tasks.
    pub task_ids: Vec<u64>,
    /// Functions, by name or by the number that records carry.
    pub functions: Vec<String>,
    /// Positions among a task's arguments.
    pub arguments: Vec<u16>,
    /// Before dispatch, after completion.
    pub stages: Vec<Stage>,
}

/// `task=0x10,function=add,arg=0,stage=before` and the like, as the command line has it: each part adds to
/// a list, task ids are decimal or hexadecimal behind 0x. An empty text chooses all.
impl FromStr for DumpSelection {
    type Err = RuntimeError;

    fn from_str(text: &str) -> Result<Self> {
        let mut selection = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            selection.add(part).map_err(|reason| RuntimeError::Option {
                option: "dump",
                reason,
            })?;
        }
        Ok(selection)
    }
}

impl DumpSelection {
    fn add(&mut self, part: &str) -> std::result::Result<(), String> {
        let expected = "expected task=, function=, arg= or stage=";
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}`, {expected}"))?;
        match name {
            "task" => self.task_ids.push(task_id(value)?),
            "function" => self.functions.push(value.to_owned()),
            "arg" => {
                let position = value.parse();
                let position = position.map_err(|_| format!("arg={value} is no position"))?;
                self.arguments.push(position);
            }
            "stage" => self.stages.push(match value {
                "before" => Stage::BeforeDispatch,
                "after" => Stage::AfterCompletion,
                _ => return Err(format!("stage={value}, expected before or after")),
            }),
            _ => return Err(format!("{name}=, {expected}")),
        }
        Ok(())
    }
}

fn task_id(text: &str) -> std::result::Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("task={text} is no task id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_to_lists_and_what_cannot_be_is_refused() {
        let text = "task=0x10,task=3,function=add,arg=2,stage=after";
        let expected = DumpSelection {
            task_ids: vec![16, 3],
            functions: vec!["add".to_owned()],
            arguments: vec![2],
            stages: vec![Stage::AfterCompletion],
        };
        assert_eq!(text.parse::<DumpSelection>().expect("reads"), expected);
        let all: DumpSelection = "".parse().expect("reads");
        assert_eq!(all, DumpSelection::default());
        for wrong in [
            "task",
            "tasks=1",
            "task=x",
            "task=0xg",
            "stage=now",
            "arg=-1",
            "arg=65536",
        ] {
            let refused = wrong.parse::<DumpSelection>().expect_err(wrong);
            assert!(refused.to_string().starts_with("dump: "), "{refused}");
        }
    }
}
