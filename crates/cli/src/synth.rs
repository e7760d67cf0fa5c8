//! `lanescope synth`: make up a run of any size and write its capture.

use crate::arguments::SynthArguments;
use crate::{files, output, results};
use anyhow::Result;
use lanescope::CAPTURE_FILE_NAME;
use lanescope_trace::synth::Synth;
use std::process::ExitCode;

pub(crate) fn synth(arguments: &SynthArguments) -> Result<ExitCode> {
    let synth = Synth {
        chip: arguments.chip,
        tasks: arguments.tasks,
        clusters: arguments.chip.info().max_clusters,
        cores: arguments.cores,
        edges_per_task: arguments.edges,
        mean_run_ns: arguments.mean_run_ns,
        pmu: arguments.pmu,
        seed: arguments.seed,
    };
    let folder = &arguments.out;
    results::check_folder(folder)?;
    results::make_folder(folder)?;
    let path = folder.join(CAPTURE_FILE_NAME);
    files::write_file(&path, |file| Ok(synth.write_capture(file)?))?;
    output::note(format!("wrote {}", path.display()));
    Ok(ExitCode::SUCCESS)
}
