//! The chart: groups of bars, one group for each of the loads that tell most.

use crate::numbers::{number, spread};
use crate::results::{LoadResult, Results};
use crate::subject::Subject;
use std::fmt::Write;

/// A part of the chart.
struct Panel {
    title: &'static str,
    /// Loads and the metric to draw; loads that were not run are left out.
    bars: &'static [(&'static str, &'static str)],
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "Throughput (longer is better)",
        bars: &[
            ("c8", "messages"),
            ("c64", "messages"),
            ("c256", "messages"),
            ("c64-tcp", "messages"),
            ("connect", "sessions"),
            ("bodies", "throughput"),
        ],
    },
    Panel {
        title: "CPU time of the filter per message (shorter is better)",
        bars: &[
            ("c1", "CPU per message"),
            ("c8", "CPU per message"),
            ("c64", "CPU per message"),
            ("no-reply", "CPU per message"),
            ("pause-64", "CPU per message"),
        ],
    },
];

/// Pixels.
const WIDTH: f64 = 860.0;
const LABELS: f64 = 260.0;
const BAR: f64 = 13.0;
const GROUP_GAP: f64 = 12.0;
const TITLE: f64 = 36.0;

fn color(subject: Subject) -> &'static str {
    match subject {
        Subject::Ours => "#0b62c4",
        Subject::Reference => "#e07b1a",
        Subject::Threads => "#9aa5b1",
        Subject::Epoll | Subject::OneShot | Subject::HandOff => "#5f6b78",
    }
}

fn meaning(subject: Subject) -> &'static str {
    match subject {
        Subject::Ours => "this library",
        Subject::Reference => "Debian's libmilter",
        Subject::Threads => "floor: thread per connection",
        Subject::Epoll => "floor: epoll",
        Subject::OneShot => "one-shot poller",
        Subject::HandOff => "hand-off",
    }
}

/// The chart as a document.
pub(super) fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut y = 16.0;
    legend(&mut body, &mut y);
    for panel in &PANELS {
        draw(&mut body, &mut y, panel, results);
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>This library, Debian's, and two floor programs under the same loads</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn legend(body: &mut String, y: &mut f64) {
    for (n, subject) in Subject::ALL.into_iter().enumerate() {
        let x = 16.0 + n as f64 * 205.0;
        let (color, text) = (color(subject), meaning(subject));
        let _ = writeln!(
            body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{color}\"/>\
             <text x=\"{}\" y=\"{}\">{text}</text>",
            x + 18.0,
            *y + 11.0
        );
    }
    *y += 20.0;
}

fn draw(body: &mut String, y: &mut f64, panel: &Panel, results: &Results) {
    let groups: Vec<(&LoadResult, usize)> = panel
        .bars
        .iter()
        .filter_map(|(name, metric)| {
            let load = results.loads.iter().find(|load| load.name == *name)?;
            Some((load, load.metric(metric)?))
        })
        .collect();
    if groups.is_empty() {
        return;
    }
    let title = panel.title;
    let _ = writeln!(
        body,
        "<text x=\"16\" y=\"{}\" font-size=\"15\" font-weight=\"bold\">{title}</text>",
        *y + 22.0
    );
    *y += TITLE;
    for (load, metric) in groups {
        group(body, y, load, metric);
    }
}

/// The bars of one load; the longest fills the width, so that groups of any unit compare.
fn group(body: &mut String, y: &mut f64, load: &LoadResult, metric: usize) {
    let unit = load.metrics[metric].unit;
    let medians: Vec<(Subject, f64)> = Subject::ALL
        .into_iter()
        .filter_map(|s| Some((s, spread(&load.values(s, metric))?.median)))
        .collect();
    let most = medians.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let middle = *y + medians.len() as f64 * BAR / 2.0 + 4.0;
    let _ = writeln!(
        body,
        "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>",
        LABELS - 10.0,
        escape(&load.title)
    );
    for (subject, value) in medians {
        // Room for the figure behind the bar.
        let width = value / most * (WIDTH - LABELS - 110.0);
        let color = color(subject);
        let _ = writeln!(
            body,
            "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"11\">{} {unit}</text>",
            BAR - 1.0,
            LABELS + width + 6.0,
            *y + 10.0,
            number(value)
        );
        *y += BAR;
    }
    *y += GROUP_GAP;
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use crate::loads;
    use crate::machine::Machine;
    use crate::measure::Pace;
    use crate::results::{LoadResult, Results};
    use crate::subject::Subject;

    #[test]
    fn the_chart_names_loads_that_exist_and_draws_what_was_run() {
        let all = loads::all();
        for (name, metric) in super::PANELS.iter().flat_map(|panel| panel.bars) {
            let load = all.iter().find(|load| load.name == *name).expect("a load of that name");
            assert!(load.metrics.iter().any(|m| m.name == *metric), "{name}: {metric}");
        }
        let load = all.iter().find(|load| load.name == "c8").expect("c8");
        let result = LoadResult {
            name: load.name.clone(),
            title: "C<8".into(),
            metrics: load.metrics.clone(),
            rounds: vec![vec![(Subject::Ours, vec![1234.0, 5.0])]],
        };
        let results = Results {
            machine: Machine::here(),
            pace: Pace::Smoke,
            loads: vec![result],
            failures: Vec::new(),
        };
        let svg = super::svg(&results);
        assert!(svg.contains("1,234 /s") && svg.contains("C&lt;8") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("C=64"));
    }
}
