//! Runs against each other, and budgets.

use super::{parts, trace};
use lanescope_report::compare::{Budget, BudgetError, ChangeVerdict, Comparison};
use lanescope_report::{Report, VerdictReport};
use lanescope_trace::{CoreType, Functions, SchedulerPhase, Trace};

/// A run of one task that runs so long.
fn run(name: &str, run: u64) -> (String, Report) {
    let rows = [(0, 0, [1000, 1010, 1010 + run, 1020 + run])];
    let report = Report::of(&trace(&[CoreType::Aic], &rows, &[]));
    (name.to_owned(), report)
}

fn change<'a>(comparison: &'a Comparison, name: &str) -> &'a lanescope_report::compare::Change {
    let mut metrics = comparison.metrics.iter();
    metrics.find(|change| change.name == name).unwrap()
}

#[test]
fn medians_are_compared_and_noise_is_told() {
    let before = [run("a", 100), run("b", 180), run("c", 110)];
    let after = [run("d", 120), run("e", 130)];
    let comparison = Comparison::of(&before, &after);
    let makespan = change(&comparison, "makespan");
    let (before, after) = (
        makespan.before.as_ref().unwrap(),
        makespan.after.as_ref().unwrap(),
    );
    assert_eq!(
        (before.median, before.least, before.most, before.runs),
        (130.0, 120.0, 200.0, 3)
    );
    assert_eq!((after.median, after.runs), (145.0, 2));
    assert_eq!((makespan.change, makespan.noise), (Some(15.0), Some(80.0)));
    assert_eq!(makespan.verdict, ChangeVerdict::Noise);
    let one = Comparison::of(&[run("a", 100)], &[run("b", 110)]);
    assert_eq!(change(&one, "makespan").noise, None);
    assert_eq!(change(&one, "makespan").verdict, ChangeVerdict::Worse);
    assert_eq!(change(&one, "cores.head-wait").verdict, ChangeVerdict::Same);
}

#[test]
fn budgets_hold_or_say_by_how_much_they_do_not() {
    let check = |budget: &str| {
        // The makespan goes from 120 ns to 132 ns.
        let mut comparison = Comparison::of(&[run("a", 100)], &[run("b", 112)]);
        comparison.check(&[Budget::parse(budget).unwrap()])?;
        let texts = comparison.budgets.iter();
        let texts: Vec<_> = texts
            .map(|budget| (budget.is_exceeded, budget.text.clone()))
            .collect();
        Ok::<_, BudgetError>(texts)
    };
    let exceeded = |budget: &str| check(budget).unwrap().iter().any(|(exceeded, _)| *exceeded);
    assert!(!exceeded("makespan<=+10%"));
    assert!(exceeded("makespan <= +9.9 %"));
    assert!(!exceeded("makespan<=+12ns"));
    assert!(exceeded("makespan<=+0.011us"));
    assert!(!exceeded("makespan<=132ns"));
    assert!(exceeded("makespan>=133ns"));
    assert!(exceeded("makespan<=-1%"));
    assert!(exceeded("utilisation.aic>=90%"));
    assert!(!exceeded("tasks<=1") && !exceeded("tasks>=+0"));
    assert_eq!(
        check("makespan<=+5%").unwrap(),
        [(
            true,
            "0.132 µs, at most 0.126 µs: beyond it by 0.006 µs".to_owned()
        )]
    );
    assert_eq!(check("function.*.run.*<=+20%").unwrap().len(), 5);
    assert!(matches!(
        check("makespan<=5%"),
        Err(BudgetError::WrongUnit { .. })
    ));
    assert!(matches!(
        check("tasks<=5ns"),
        Err(BudgetError::WrongUnit { .. })
    ));
    match check("tea<=+5%") {
        Err(BudgetError::UnknownMetric { known, .. }) => {
            assert!(known.iter().any(|name| name == "function.func_0.run.mean"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_breach_is_within_the_noise_when_its_distance_is() {
    // From 140 ns ± 80 to 150 ns: at most 133 and at most 20.
    let before = [run("a", 80), run("b", 160)];
    let text = |budget: &str| {
        let mut comparison = Comparison::of(&before, &[run("c", 130)]);
        comparison.check(&[Budget::parse(budget).unwrap()]).unwrap();
        comparison.budgets[0].text.clone()
    };
    assert!(text("makespan<=-5%").ends_with("by 0.017 µs, within the noise"));
    assert!(text("makespan<=20ns").ends_with("by 0.130 µs"));
}

/// A run of two functions of one name.
fn namesakes(name: &str, runs: [u64; 2]) -> (String, Report) {
    let [one, two] = runs;
    let rows = [
        (0, 0, [1000, 1010, 1010 + one, 1200]),
        (1, 0, [1000, 1300, 1300 + two, 1500]),
    ];
    let mut parts = parts(&[CoreType::Aiv], &rows, &[]);
    parts.tasks[1].func_id = 1;
    parts.functions = Functions::from_iter([(0, "mm"), (1, "mm")]);
    (name.to_owned(), Report::of(&Trace::new(parts)))
}

#[test]
fn two_functions_of_one_name_are_not_two_runs() {
    let before = [namesakes("a", [50, 10])];
    let comparison = Comparison::of(&before, &[namesakes("b", [50, 40])]);
    for (name, before, after) in [
        ("function.mm#0.run.mean", 50.0, 50.0),
        ("function.mm#1.run.mean", 10.0, 40.0),
    ] {
        let change = change(&comparison, name);
        let sides = [&change.before, &change.after].map(|side| side.clone().unwrap());
        assert_eq!(sides.clone().map(|side| side.runs), [1, 1]);
        assert_eq!(sides.map(|side| side.median), [before, after]);
        assert_eq!(change.noise, None);
    }
    assert!(
        comparison
            .metrics
            .iter()
            .all(|change| change.noise.is_none())
    );
}

#[test]
fn what_a_run_never_did_is_zero_and_what_it_did_not_record_is_missing() {
    let run = |phases: &[u32], edges: &[(u32, u32)]| {
        let rows = [
            (0, 0, [1000, 1010, 1110, 1120]),
            (1, 0, [1000, 1130, 1140, 1150]),
        ];
        let mut parts = parts(&[CoreType::Aiv], &rows, edges);
        parts.tasks[0].func_id = 7;
        let phases = phases.iter().map(|&phase| SchedulerPhase {
            start_ticks: 1000,
            end_ticks: 1030,
            phase,
            ..SchedulerPhase::default()
        });
        parts.scheduler_phases = vec![phases.collect()];
        (String::new(), Report::of(&Trace::new(parts)))
    };
    let (complete, blocked) = (SchedulerPhase::COMPLETE, SchedulerPhase::BLOCKED);
    let before = [run(&[complete, blocked], &[(0, 1)])];
    let after = [
        run(&[complete], &[(0, 1)]),
        run(&[complete], &[(1, 0)]),
        run(&[], &[]),
    ];
    let comparison = Comparison::of(&before, &after);
    let after = |name| {
        change(&comparison, name)
            .after
            .clone()
            .map(|side| (side.median, side.runs))
    };
    // Two runs have AICPU threads, and neither was blocked.
    assert_eq!(after("phase.blocked"), Some((0.0, 2)));
    // Two have a path, of which one holds the function.
    assert_eq!(after("path.function.func_7.steps"), Some((0.5, 2)));
    let mut comparison = Comparison::of(&before, &[run(&[complete], &[(1, 0)])]);
    let budget = Budget::parse("phase.blocked<=+0ns").unwrap();
    comparison.check(&[budget]).unwrap();
    assert!(!comparison.is_over_budget());
    let comparison = Comparison::of(&before, &[run(&[], &[])]);
    assert_eq!(change(&comparison, "phase.blocked").after, None);
    assert_eq!(change(&comparison, "path.function.func_7.run").after, None);
    assert_eq!(
        change(&comparison, "path.wait.unknown").unit,
        lanescope_report::metrics::Unit::Ns
    );
}

#[test]
fn without_a_swimlane_there_are_no_tasks_to_count() {
    let mut parts = parts(&[CoreType::Aiv], &[], &[]);
    parts.session.level = Some(0);
    let off = (String::new(), Report::of(&Trace::new(parts)));
    let comparison = Comparison::of(&[run("a", 100)], &[off]);
    for name in ["tasks", "makespan"] {
        assert_eq!(change(&comparison, name).after, None, "{name}");
    }
    let mut names = comparison.metrics.iter().map(|change| &change.name);
    assert!(names.all(|name| name != "utilisation.aiv"));
}

#[test]
fn nobody_is_called_and_nothing_linked_by_a_name() {
    let mut named = run("b", 100);
    named.1.functions[0].name = "~~a~~ @octocat $x$ http://a.b www.c.d\u{1b}[31m\nred".to_owned();
    let comparison = Comparison::of(&[run("a", 100)], &[named]);
    let markdown = comparison.markdown(true);
    let escaped = "function.\\~\\~a\\~\\~ @<!-- -->octocat \\$x\\$ http\\://a.b www\\.c.d\\\\u{1b}\\[31m\\\\nred.count";
    assert!(markdown.contains(escaped), "{markdown}");
    let text = comparison.text(true);
    assert!(text.contains("www.c.d\\u{1b}[31m\\nred.count"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_name_from_a_file_is_no_markup() {
    let mut hostile = run("<script>alert(1)</script>|`x`", 100);
    hostile.1.functions[0].name = "<b>|*&\"".to_owned();
    let mut comparison = Comparison::of(&[run("a", 100)], &[hostile]);
    comparison
        .check(&[Budget::parse("makespan<=+1%").unwrap()])
        .unwrap();
    let page = comparison.html(true);
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    let text = comparison.markdown(true);
    assert!(
        !text.contains("<script") && text.contains("\\|\\*&amp;"),
        "{text}"
    );
    for line in text.lines().filter(|line| line.starts_with("| function.")) {
        let bars = line.matches('|').count() - line.matches("\\|").count();
        assert_eq!(bars, 7, "{line}");
    }
}

#[test]
fn what_a_run_lacks_stands_in_every_form() {
    let whole = run("whole", 100);
    let mut lossy = run("lossy", 90);
    lossy.1.verdict = Some(VerdictReport {
        outcome: "broken",
        collected: 3,
        total: 4,
        findings: vec!["the capture holds 2".to_owned()],
        ..verdict()
    });
    lossy.1.notes = vec!["2 records of another run".to_owned()];
    let comparison = Comparison::of(std::slice::from_ref(&whole), &[lossy]);
    let expected = [
        "lossy: broken (3 of 4 records collected): its numbers are those of what is left",
        "lossy: the capture holds 2",
        "lossy: 2 records of another run",
    ];
    assert_eq!(comparison.doubts, expected);
    let forms = [
        comparison.text(false),
        comparison.markdown(false),
        comparison.html(false),
        comparison.to_json(),
    ];
    for form in forms {
        assert!(expected.iter().all(|doubt| form.contains(doubt)), "{form}");
    }
    let none = Comparison::of(std::slice::from_ref(&whole), std::slice::from_ref(&whole));
    assert!(none.doubts.is_empty() && !none.text(true).contains("note:"));
}

/// Of a run that lost nothing.
fn verdict() -> VerdictReport {
    VerdictReport {
        outcome: "exact",
        expected_tasks: None,
        dispatched: 4,
        total: 4,
        collected: 4,
        dropped: 0,
        mismatched: 0,
        abandoned: 0,
        in_flight: Vec::new(),
        waits: 0,
        blocked_ns: 0,
        findings: Vec::new(),
    }
}
