//! Charts as SVG: panels above one another with a common x axis. Colours come from the page's style
//! sheet, so that one chart serves light, dark and paper.

use maud::{Markup, html};

use super::scale::{Scale, ticks};

/// Widths in user units, which are pixels on a large screen: of the page, and of less than half of it, which a phone
/// shows whole with its text still legible.
pub(crate) const WIDE: f64 = 1000.0;
pub(crate) const HALF: f64 = 400.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 18.0;
const TITLE: f64 = 28.0;
const GAP: f64 = 12.0;
const AXIS: f64 = 38.0;

pub(crate) struct Chart {
    pub(crate) title: String,
    /// For screen readers.
    pub(crate) description: String,
    pub(crate) width: f64,
    pub(crate) x: Axis,
    pub(crate) panels: Vec<Panel>,
    pub(crate) shaded: Vec<Shade>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) readouts: Vec<Readout>,
}

pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Positions and their labels.
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) label: &'static str,
}

/// A y axis, which starts at 0, and the lines or bars that belong to it.
pub(crate) struct Panel {
    pub(crate) title: &'static str,
    pub(crate) height: f64,
    pub(crate) series: Vec<Series>,
}

pub(crate) struct Series {
    /// Empty if the key leaves the series out.
    pub(crate) name: String,
    /// Class of the style sheet that gives the colour and the dashes.
    pub(crate) style: &'static str,
    pub(crate) shape: Shape,
    /// x and y. Where y is `None`, a line has a gap.
    pub(crate) points: Vec<(f64, Option<f64>)>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Line,
    /// Each value holds up to the next point.
    Step,
    /// Bars of this width, from each point to the right.
    Bars(f64),
}

/// A stretch of the x axis in another colour.
pub(crate) struct Shade {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Class of the style sheet.
    pub(crate) class: &'static str,
    /// Left out if the stretch is too narrow.
    pub(crate) label: &'static str,
}

/// A vertical line.
pub(crate) struct Mark {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// Text that appears when the pointer is over a stretch of the x axis.
pub(crate) struct Readout {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) text: String,
}

impl Chart {
    pub(crate) fn svg(&self) -> Markup {
        let marks_height = if self.marks.is_empty() { 0.0 } else { 16.0 };
        let mut top = 2.0 + marks_height;
        let tops: Vec<f64> = self
            .panels
            .iter()
            .map(|panel| {
                top += TITLE + panel.height + GAP;
                top - panel.height - GAP
            })
            .collect();
        let bottom = top - GAP;
        let height = bottom + AXIS;
        let right = self.width - RIGHT;
        let x = Scale::linear((self.x.from, self.x.to), (LEFT, right));
        let first = tops.first().copied().unwrap_or(0.0);

        html! {
            svg viewBox={ "0 0 " (self.width) " " (height) } role="img" {
                title { (self.title) }
                desc { (self.description) }
                @for shade in &self.shaded {
                    @for (panel, top) in self.panels.iter().zip(&tops) {
                        (rectangle(shade.class, (x.at(shade.from), x.at(shade.to)), (*top, top + panel.height)))
                    }
                    @if x.at(shade.to) - x.at(shade.from) > 60.0 {
                        text.small x=(place(x.at(shade.from) + 5.0)) y=(place(first + 13.0)) { (shade.label) }
                    }
                }
                @for (panel, top) in self.panels.iter().zip(&tops) { (panel.svg(*top, right, &x)) }
                @for mark in &self.marks {
                    @let at = place(x.at(mark.at));
                    line.mark x1=(at) x2=(at) y1=(place(first - TITLE - 2.0)) y2=(place(bottom)) {}
                }
                (labels(&self.marks, &x, first - TITLE - 5.0, right + RIGHT))
                @for (at, label) in &self.x.ticks {
                    @let at = place(x.at(*at));
                    line.tick x1=(at) x2=(at) y1=(place(bottom)) y2=(place(bottom + 4.0)) {}
                    text.small text-anchor="middle" x=(at) y=(place(bottom + 17.0)) { (label) }
                }
                text.small text-anchor="end" x=(place(right)) y=(place(bottom + 33.0)) { (self.x.label) }
                @for readout in &self.readouts {
                    g.at {
                        (rectangle("", (x.at(readout.from), x.at(readout.to)), (first, bottom)))
                        title { (readout.text) }
                    }
                }
            }
        }
    }
}

impl Panel {
    fn svg(&self, top: f64, right: f64, x: &Scale) -> Markup {
        let bottom = top + self.height;
        let values = self.series.iter().flat_map(|s| s.points.iter().filter_map(|p| p.1));
        let ticks = ticks(values.fold(0.0, f64::max), if self.height < 80.0 { 2 } else { 4 });
        let y = Scale::linear((0.0, ticks.last().copied().unwrap_or(1.0)), (bottom, top));
        html! {
            text.panel x="0" y=(place(top - 11.0)) { (self.title) }
            // A single series needs no key: it is what the title of the panel names.
            @let named = self.series.iter().filter(|series| !series.name.is_empty());
            @if self.series.len() > 1 && named.clone().next().is_some() {
                text.key text-anchor="end" x=(place(right)) y=(place(top - 11.0)) {
                    @for (index, series) in named.enumerate() {
                        @let swatch = if matches!(series.shape, Shape::Bars(_)) { "\u{25A0}" } else { "\u{2501}" };
                        tspan class={ "swatch " (series.style) } dx=(if index == 0 { 0 } else { 14 }) { (swatch) }
                        tspan dx="4" { (series.name) }
                    }
                }
            }
            @for tick in &ticks {
                line.grid x1=(LEFT) x2=(place(right)) y1=(place(y.at(*tick))) y2=(place(y.at(*tick))) {}
                text.small text-anchor="end" x=(LEFT - 7.0) y=(place(y.at(*tick) + 4.0)) { (round_label(*tick)) }
            }
            @for series in &self.series { (series.svg(x, &y)) }
        }
    }
}

impl Series {
    fn svg(&self, x: &Scale, y: &Scale) -> Markup {
        let style = self.style;
        if let Shape::Bars(width) = self.shape {
            return html! {
                path class={ "bars " (style) } d=(self.bars(width, x, y)) {}
            };
        }
        html! {
            path class={ "line " (style) } d=(self.line(x, y)) {}
            @for point in self.dots() {
                circle class={ "dot " (style) } cx=(place(x.at(point.0))) cy=(place(y.at(point.1))) r="2.6" {}
            }
        }
    }

    fn line(&self, x: &Scale, y: &Scale) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (at, value) in &self.points {
            let Some(value) = value else {
                pen_down = false;
                continue;
            };
            let (px, py) = (place(x.at(*at)), place(y.at(*value)));
            path += &match (pen_down, self.shape) {
                (false, _) => format!("M{px} {py}"),
                (true, Shape::Step) => format!("H{px}V{py}"),
                (true, _) => format!("L{px} {py}"),
            };
            pen_down = true;
        }
        path
    }

    /// Points that get a dot: all of a short line, otherwise those without a neighbour, which the
    /// line would not show.
    fn dots(&self) -> Vec<(f64, f64)> {
        const FEW: usize = 16;
        let value = |i: Option<usize>| i.and_then(|i| self.points.get(i)).and_then(|p| p.1);
        let all = self.points.len() <= FEW && self.shape == Shape::Line;
        let lone = |i: &usize| value(i.checked_sub(1)).is_none() && value(Some(i + 1)).is_none();
        let chosen = (0..self.points.len()).filter(|i| all || lone(i));
        chosen.filter_map(|i| value(Some(i)).map(|v| (self.points[i].0, v))).collect()
    }

    fn bars(&self, width: f64, x: &Scale, y: &Scale) -> String {
        let bars = self.points.iter().filter_map(|(at, value)| Some((at, (*value).filter(|v| *v > 0.0)?)));
        let bar = |(at, value): (&f64, f64)| {
            let (left, right) = (x.at(*at), x.at(at + width));
            let space = if right - left > 3.0 { 0.5 } else { 0.0 };
            // A bar above 0 is at least one unit high.
            let top = y.at(value).min(y.at(0.0) - 1.0);
            format!(
                "M{} {}V{}H{}V{}Z",
                place(left + space),
                place(y.at(0.0)),
                place(top),
                place(right - space),
                place(y.at(0.0))
            )
        };
        bars.map(bar).collect()
    }
}

/// The labels of marks, ascending, moved apart where they would overlap and inwards at the right end.
fn labels(marks: &[Mark], x: &Scale, y: f64, right: f64) -> Markup {
    const CHARACTER: f64 = 7.2;
    const SPACE: f64 = 10.0;
    let width = |mark: &Mark| mark.label.chars().count() as f64 * CHARACTER;
    let mut lefts: Vec<f64> = marks.iter().map(|mark| x.at(mark.at) - width(mark) / 2.0).collect();
    let mut free_from = 0.0;
    for (left, mark) in lefts.iter_mut().zip(marks) {
        *left = left.max(free_from);
        free_from = *left + width(mark) + SPACE;
    }
    let mut free_to = right;
    for (left, mark) in lefts.iter_mut().zip(marks).rev() {
        *left = left.min(free_to - width(mark));
        free_to = *left - SPACE;
    }
    html! {
        @for (mark, left) in marks.iter().zip(lefts) {
            text.small x=(place(left)) y=(place(y)) { (mark.label) }
        }
    }
}

fn rectangle(class: &str, (left, right): (f64, f64), (top, bottom): (f64, f64)) -> Markup {
    let (x, y, width, height) = (place(left), place(top), place(right - left), place(bottom - top));
    html! {
        rect class=[(!class.is_empty()).then_some(class)] x=(x) y=(y) width=(width) height=(height) {}
    }
}

/// A tenth of a unit is finer than any screen shows.
fn place(units: f64) -> f64 {
    (units * 10.0).round() / 10.0
}

/// `250`, `0.5`, `12k`
fn round_label(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{}k", rounded(value / 1000.0));
    }
    rounded(value)
}

/// Without the digits that binary fractions add.
fn rounded(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}
