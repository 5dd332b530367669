//! Plots: bars of each operation, and lines of cost over the number of live objects.

use std::error::Error;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{bytes, column, count, distinct, operations, short};
use crate::names;
use crate::record::Record;

type Outcome = Result<(), Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const BAR: i32 = 22;
const NAMES: i32 = 240;
const WIDTH: i32 = 900;
const FONT: (&str, i32) = ("sans-serif", 13);
const TITLE: (&str, i32) = ("sans-serif", 16);

const KMEM: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const LIMIT: RGBColor = RGBColor(0xd9, 0x48, 0x01);
const PEER: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
/// Draws every plot that the records have the figures for.
pub fn draw(dir: &Path, records: &[Record]) -> Outcome {
    for (group, op) in operations(records) {
        let of_op: Vec<&Record> = records.iter().filter(|r| r.group == group && r.op == op).collect();
        bars(&file(dir, &[group, op]), &format!("{group}: {op}"), &of_op)?;
        for size in distinct(of_op.iter().map(|record| record.size)) {
            let of_size: Vec<&Record> = of_op.iter().copied().filter(|r| r.size == size).collect();
            if distinct(of_size.iter().map(|record| record.live)).len() > 2 {
                let title = format!("{group}: {op}, {} objects", bytes(size));
                lines(&file(dir, &[group, op, &format!("{size} over live")]), &title, &of_size)?;
            }
        }
    }
    Ok(())
}

/// A file name of these words.
fn file(dir: &Path, words: &[&str]) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = words.join("-").chars().map(plain).collect();
    dir.join(name).with_extension("svg")
}

/// The decades that hold all figures.
fn decades(records: &[&Record]) -> (f64, f64) {
    let min = records.iter().map(|r| r.median).fold(f64::INFINITY, f64::min).max(1e-3);
    let max = records.iter().map(|r| r.median).fold(0.0, f64::max).max(min * 1.01);
    (10f64.powf(min.log10().floor()), 10f64.powf((max * 1.3).log10().ceil()))
}

/// Horizontal bars on a log axis, a panel for each size.
fn bars(path: &Path, title: &str, records: &[&Record]) -> Outcome {
    let columns = distinct(records.iter().map(|record| column(record)));
    let panels: Vec<Vec<&Record>> = columns
        .iter()
        .map(|of| records.iter().copied().filter(|record| column(record) == *of).collect())
        .collect();
    let heights: Vec<i32> = panels.iter().map(|panel| panel.len() as i32 * BAR + 70).collect();
    let height: i32 = heights.iter().sum::<i32>() + 30;
    let root = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut rest = root.titled(title, TITLE)?;
    for ((panel, head), height) in panels.iter().zip(&columns).zip(heights) {
        let (area, below) = rest.split_vertically(height);
        bar_panel(&area, head, panel)?;
        rest = below;
    }
    root.present()?;
    Ok(())
}

fn bar_panel(area: &Area, head: &str, panel: &[&Record]) -> Outcome {
    let (low, high) = decades(panel);
    let rows = panel.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(head, FONT)
        .margin(4)
        .margin_right(40)
        .margin_left(NAMES)
        .x_label_area_size(30)
        .build_cartesian_2d((low..high).log_scale(), 0.0..rows)?;
    let unit = if panel[0].group == "memory" { "bytes" } else { "ns" };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc(unit)
        .x_label_formatter(&|x| x.to_string())
        .draw()?;
    for (nth, record) in panel.iter().enumerate() {
        // The first contestant is on top.
        let top = rows - nth as f64;
        let colour = match record.contestant.as_str() {
            names::LIST | names::LIST_CALLED => LIMIT,
            kmem if kmem.starts_with("kmem") => KMEM,
            _ => PEER,
        };
        let bar = Rectangle::new([(low, top - 0.85), (record.median, top - 0.15)], colour.filled());
        chart.draw_series(std::iter::once(bar))?;
        let y = area.get_pixel_range().1.start;
        let at = |x| {
            let (px, py) = chart.backend_coord(&(x, top - 0.75));
            (px, py - y)
        };
        let figure = at(record.median);
        let name = (8, at(low).1 - 10);
        area.draw_text(&record.contestant, &FONT.into_font().color(&BLACK), name)?;
        area.draw_text(
            &short(record.median),
            &FONT.into_font().color(&BLACK),
            (figure.0 + 5, figure.1 - 10),
        )?;
    }
    Ok(())
}

/// A line for each contestant over the number of live objects, both axes logarithmic.
fn lines(path: &Path, title: &str, records: &[&Record]) -> Outcome {
    let (low, high) = decades(records);
    let first = records.iter().map(|r| r.live).min().unwrap_or(1) as f64;
    let last = records.iter().map(|r| r.live).max().unwrap_or(1) as f64;
    let root = SVGBackend::new(path, (WIDTH as u32, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, TITLE)
        .margin(8)
        .margin_right(NAMES)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((first..last * 1.001).log_scale(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("live objects")
        .y_desc("ns")
        .x_label_formatter(&|x| count(x.round() as usize))
        .y_label_formatter(&|y| y.to_string())
        .draw()?;
    let contestants = distinct(records.iter().map(|r| r.contestant.as_str()));
    for (nth, contestant) in contestants.iter().copied().enumerate() {
        // Around the circle, neighbours of different lightness.
        let hue = nth as f64 / contestants.len() as f64;
        let colour = HSLColor(hue, 0.8, if nth % 2 == 0 { 0.35 } else { 0.55 });
        let points = records.iter().filter(|r| r.contestant == contestant);
        let points: Vec<(f64, f64)> = points.map(|r| (r.live as f64, r.median)).collect();
        // Peers are thinner than kmem and than the limit.
        let width = if contestant.starts_with("kmem") || contestant == names::LIST { 3 } else { 1 };
        chart.draw_series(std::iter::once(PathElement::new(points, colour.stroke_width(width))))?;
        let y = 50 + nth as i32 * 18;
        let x = WIDTH - NAMES + 10;
        root.draw(&Rectangle::new([(x, y), (x + 14, y + 4)], colour.filled()))?;
        root.draw_text(contestant, &FONT.into_font().color(&BLACK), (x + 20, y - 4))?;
    }
    root.present()?;
    Ok(())
}
