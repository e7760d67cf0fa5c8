//! Programs the host has given to the driver: AICore binaries, and files that name AICPU functions.

use crate::codes::{PARAM_INVALID, Result, refuse, require};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Binaries `rtRegisterAllKernel` takes: mixed, vector, cube.
const MAGICS: [u32; 3] = [0x4355_4245, 0x4141_5246, 0x4149_4343];

/// Binaries that fit before some are taken back.
pub(crate) const POOL_CAPACITY: usize = 128;

/// A registered AICore program.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) image: Arc<[u8]>,
    /// Whether the device process has it.
    pub(crate) loaded: bool,
}

/// Whether `magic` names a kind of AICore binary.
pub(crate) fn check_magic(magic: u32) -> Result<()> {
    require(
        MAGICS.contains(&magic),
        PARAM_INVALID,
        format_args!("binary magic {magic:#x} is none of {MAGICS:#x?}"),
    )
}

/// A loaded file that names AICPU functions.
#[derive(Debug)]
pub(crate) struct Binary {
    functions: BTreeMap<String, Function>,
    /// Handles given out, by serial number.
    pub(crate) handles: BTreeMap<u32, Function>,
}

/// Where an AICPU function is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The file on the device.
    pub(crate) file: String,
    /// The symbol in it.
    pub(crate) symbol: String,
}

impl Binary {
    /// Reads the JSON form: an object with, for each kernel name, `opInfo` with `functionName`,
    /// `kernelSo` and `opKernelLib`.
    pub(crate) fn parse(json: &str) -> Result<Self> {
        let bad = |why: String| refuse(PARAM_INVALID, why);
        let value: Value =
            serde_json::from_str(json).map_err(|error| bad(format!("not JSON: {error}")))?;
        let kernels = value
            .as_object()
            .ok_or_else(|| bad("an object of kernels expected".to_owned()))?;
        let mut functions = BTreeMap::new();
        for (name, kernel) in kernels {
            let field = |field: &str| {
                let text = kernel
                    .get("opInfo")
                    .and_then(|info| info.get(field)?.as_str());
                text.filter(|text| !text.is_empty())
                    .ok_or_else(|| bad(format!("{name}: no text in opInfo.{field}")))
            };
            let library = field("opKernelLib")?;
            if library != "AICPUKernel" {
                return Err(bad(format!(
                    "{name}: opKernelLib is {library:?}, not \"AICPUKernel\""
                )));
            }
            let function = Function {
                file: field("kernelSo")?.to_owned(),
                symbol: field("functionName")?.to_owned(),
            };
            functions.insert(name.clone(), function);
        }
        if functions.is_empty() {
            return Err(bad("no kernel in it".to_owned()));
        }
        Ok(Self {
            functions,
            handles: BTreeMap::new(),
        })
    }

    /// The function of a kernel name.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_functions() {
        let json = r#"{"run_0123": {"opInfo": {"functionName": "run", "kernelSo": "a.so",
            "opKernelLib": "AICPUKernel", "computeCost": "100", "flagAsync": "False"}}}"#;
        let binary = Binary::parse(json).unwrap();
        let expected = Function {
            file: "a.so".to_owned(),
            symbol: "run".to_owned(),
        };
        assert_eq!(binary.function("run_0123"), Some(&expected));
        assert_eq!(binary.function("run"), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (json, why) in [
            ("", "not JSON"),
            ("[]", "an object of kernels expected"),
            ("{}", "no kernel"),
            (r#"{"k": {}}"#, "k: no text in opInfo.opKernelLib"),
            (
                r#"{"k": {"opInfo": {"opKernelLib": "X"}}}"#,
                "not \"AICPUKernel\"",
            ),
            (
                r#"{"k": {"opInfo": {"opKernelLib": "AICPUKernel", "kernelSo": ""}}}"#,
                "opInfo.kernelSo",
            ),
        ] {
            let refused = Binary::parse(json).unwrap_err();
            assert_eq!(refused.code, PARAM_INVALID);
            assert!(refused.text.contains(why), "{json}: {refused}");
        }
    }

    #[test]
    fn only_aicore_binaries_are_registered() {
        assert!(check_magic(0x4355_4245).is_ok());
        assert_eq!(check_magic(0x4141_5243).unwrap_err().code, PARAM_INVALID);
    }
}
