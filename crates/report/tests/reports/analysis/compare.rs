//! Runs against each other, and budgets.

use super::trace;
use lanescope_report::Report;
use lanescope_report::compare::{Budget, BudgetError, ChangeVerdict, Comparison};
use lanescope_trace::CoreType;

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
