//! Shares of a whole as horizontal bars: where a request's time goes, and which server it went to.

use maud::{Markup, html};

use crate::bench::load::report::{columns, figures};
use crate::bench::load::result::{Run, Stage};
use crate::html::chart::WIDE;

pub(super) const METHOD: &str = "From Server-Timing, in the steady state: the share of each stage in typical answers \
                                 (between p40 and p60) and in the slowest 1 %. Other is network, upload and HTTP, \
                                 from when the request was sent.";

pub(super) fn bars(run: &Run) -> Markup {
    let bar = |name, share: fn(&Stage) -> Option<f64>| {
        let parts: Vec<_> =
            run.stages.iter().filter_map(|s| Some((&*s.name, style(&s.name), share(s)?))).collect();
        (!parts.is_empty()).then_some((name, parts))
    };
    let rows = [bar("typical", |s| s.share_at_p50), bar("slowest 1 %", |s| s.share_at_p99)];
    let key = run.stages.iter().map(|s| (&*s.name, style(&s.name))).collect::<Vec<_>>();
    stacked(
        "Share of each stage in the time of /predict",
        &rows.into_iter().flatten().collect::<Vec<_>>(),
        &key,
    )
}

pub(super) fn table_of(run: &Run) -> Markup {
    columns::stages().html(&format!("Stages of {}", run.name()), &run.stages)
}

/// By the names of those that answered.
pub(super) fn shares(shares: &[(&str, f64)]) -> Markup {
    let rows: Vec<_> = shares.iter().map(|(name, share)| (*name, vec![("", "c1", *share)])).collect();
    stacked("Share of the requests by server", &rows, &[])
}

/// A stage has the same colour in every run, whatever the order of stages.
fn style(stage: &str) -> &'static str {
    match stage {
        "queue" => "c3",
        "decode" => "c4",
        "preprocess" => "c5",
        "inference" => "c1",
        _ => "c6",
    }
}

/// Height of a bar with its name, which is above it because it may be long.
const ROW: f64 = 46.0;

type Part<'a> = (&'a str, &'static str, f64);

fn stacked(title: &str, rows: &[(&str, Vec<Part<'_>>)], key: &[(&str, &'static str)]) -> Markup {
    let top = if key.is_empty() { 0.0 } else { 26.0 };
    let height = top + rows.len() as f64 * ROW;
    html! {
        svg viewBox={ "0 0 " (WIDE) " " (height) } role="img" {
            title { (title) }
            desc {
                @for (name, parts) in rows {
                    (name) ": " @for (part, _, share) in parts { (part) " " (figures::percent(*share)) ", " }
                }
            }
            @if !key.is_empty() {
                text.key x="0" y="14" {
                    @for (index, (name, style)) in key.iter().enumerate() {
                        tspan class={ "swatch " (style) } dx=(if index == 0 { 0 } else { 16 }) { "\u{25A0}" }
                        tspan dx="4" { (name) }
                    }
                }
            }
            @for (row, (name, parts)) in rows.iter().enumerate() {
                @let y = top + row as f64 * ROW;
                text.panel x="0" y=(y + 13.0) { (name) }
                @for (index, (_, style, share)) in parts.iter().enumerate() {
                    @let before: f64 = parts[..index].iter().map(|p| p.2).sum();
                    @let (x, width) = (before * WIDE, share * WIDE);
                    rect class={ "part " (style) } x=(tenth(x)) y=(y + 18.0) width=(tenth(width)) height="22" {}
                    @if width > 44.0 {
                        text class={ "inside " (style) } text-anchor="middle" x=(tenth(x + width / 2.0)) y=(y + 33.5) {
                            (figures::percent(*share))
                        }
                    }
                }
            }
        }
    }
}

fn tenth(units: f64) -> f64 {
    (units * 10.0).round() / 10.0
}
