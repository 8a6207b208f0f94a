//! Charts of what servers, replicas and containers used: a panel for each figure, a line for each of them.

use super::charts::{end, ramp_up, time_axis};
use crate::bench::load::result::{ContainerSample, Run, Second, Usage, UsageSample};
use crate::html::chart::{Chart, Panel, Series, Shape, WIDE};

const CPU: &str = "CPU, cores";
const MEMORY: &str = "Memory, MiB";

/// Those of the generator are others.
const STYLES: [&str; 4] = ["c1", "c3", "c5", "c4"];

/// Characters that the keys of all lines may take beside the title of a panel and the lines of the generator, and those of
/// a swatch with its spaces.
const KEY: usize = 76;
const SWATCH: usize = 4;

/// A name, and its samples.
type Line<'r, S> = (String, &'r [S]);

/// CPU, memory and queue of the servers or, behind a balancer, of the replicas; `None` if none of them reports any of it.
pub(super) fn servers(run: &Run) -> Option<Chart> {
    fn line<'r>(name: &str, usage: Option<&'r Usage>) -> Line<'r, UsageSample> {
        (name.to_owned(), usage.map_or(&[], |usage| &usage.series))
    }
    let lines: Vec<_> = if run.replicas.is_empty() {
        run.targets.iter().map(|t| line(t.url.trim_start_matches("http://"), t.usage.as_ref())).collect()
    } else {
        run.replicas.iter().map(|replica| line(&replica.name, replica.usage.as_ref())).collect()
    };
    let at = |sample: &UsageSample| sample.at_s;
    let mut panels: Vec<_> = [
        panel(CPU, &lines, at, |s| s.cpu),
        panel(MEMORY, &lines, at, |s| s.rss_bytes.map(mebibytes)),
        panel("Requests waiting for a worker", &lines, at, |s| s.queue),
    ]
    .into_iter()
    .flatten()
    .collect();
    add_generator(run, &mut panels);
    chart(run, "CPU, memory and queue of the servers", "table of servers", panels)
}

/// `None` without containers.
pub(super) fn containers(run: &Run) -> Option<Chart> {
    let lines: Vec<Line<'_, ContainerSample>> =
        run.containers.iter().map(|container| (container.name.clone(), &*container.series)).collect();
    let at = |sample: &ContainerSample| sample.at_s;
    let panels = [
        panel(CPU, &lines, at, |s| s.cpu),
        panel(MEMORY, &lines, at, |s| s.memory_bytes.map(mebibytes)),
        panel("Throttled, seconds per second", &lines, at, |s| s.throttled),
    ];
    let panels = panels.into_iter().flatten().collect();
    chart(run, "CPU, memory and throttling of the containers", "table of containers", panels)
}

fn panel<S>(
    title: &'static str,
    lines: &[Line<'_, S>],
    at: fn(&S) -> f64,
    value: fn(&S) -> Option<f64>,
) -> Option<Panel> {
    let series = |(index, (name, samples)): (usize, &Line<'_, S>)| {
        let points: Vec<_> = samples.iter().map(|sample| (at(sample), value(sample))).collect();
        let style = STYLES[index % STYLES.len()];
        let is_known = points.iter().any(|point| point.1.is_some());
        let name = shortened(name, (KEY / lines.len()).saturating_sub(SWATCH));
        is_known.then_some(Series { name, style, shape: Shape::Line, points })
    };
    let series: Vec<_> = lines.iter().enumerate().filter_map(series).collect();
    (!series.is_empty()).then_some(Panel { title, height: 60.0, series })
}

/// Names of replicas differ at their ends.
fn shortened(name: &str, most: usize) -> String {
    let (length, most) = (name.chars().count(), most.max(4));
    if length <= most {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - most).collect();
    format!("\u{2026}{end}")
}

/// Of the CPU, if there is a panel of it.
fn add_generator(run: &Run, panels: &mut [Panel]) {
    let Some(cpu) = panels.first_mut().filter(|panel| panel.title == CPU) else { return };
    let own = |name: &str, style, value: fn(&Second) -> Option<f64>| {
        let points = run.series.iter().map(|s| (s.at_s, value(s))).collect();
        Series { name: name.to_owned(), style, shape: Shape::Line, points }
    };
    cpu.series.push(own("load generator", "c2", |s| s.generator_cpu));
    cpu.series.push(own("generator's machine", "c6", |s| s.machine_cpu));
    cpu.series.retain(|s| s.points.iter().any(|p| p.1.is_some()));
}

fn chart(run: &Run, title: &str, table: &str, panels: Vec<Panel>) -> Option<Chart> {
    (!panels.is_empty()).then(|| Chart {
        title: title.to_owned(),
        description: format!("Over the run; means and largest values are in the {table}."),
        width: WIDE,
        x: time_axis(end(run)),
        panels,
        shaded: ramp_up(run).into_iter().collect(),
        marks: Vec::new(),
        readouts: Vec::new(),
    })
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_long_name_keeps_its_end() {
        for (name, most, shown) in [
            ("skinclf-1", 9, "skinclf-1"),
            ("skinclf-1", 8, "\u{2026}inclf-1"),
            ("skinclf-1", 0, "\u{2026}f-1"),
            ("1", 0, "1"),
            ("\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}1", 5, "\u{2026}\u{e4}\u{e4}\u{e4}1"),
        ] {
            assert_eq!(shortened(name, most), shown);
        }
    }
}
