//! Tables of claims and what was measured, aligned, with the claims that do not hold marked.

use std::{fmt, time::Duration};

/// Set by `make chaos-routing`, which has the machine to itself: then times are claims too.
const HOLD_TIMES: &str = "CHAOS_HOLD_TIMES";

/// What one claim measured, and whether it holds.
pub(crate) struct Cell {
    text: String,
    holds: bool,
}

/// A figure, with a claim that holds if `holds`.
#[allow(clippy::needless_pass_by_value, reason = "figures are small, and calls read better")]
pub(crate) fn cell(text: impl ToString, holds: bool) -> Cell {
    Cell { text: text.to_string(), holds }
}

/// A figure that nothing is claimed of.
pub(crate) fn shown(text: impl ToString) -> Cell {
    cell(text, true)
}

/// A time with its bound, of which `make test` claims only that it ended: how fast a busy machine is proves nothing.
pub(crate) fn timely(time: Option<Duration>, bound: Duration) -> Cell {
    let Some(time) = time else { return cell("never", false) };
    let late = time > bound;
    let text = format!("{:.2} s{}", time.as_secs_f64(), if late { " LATE" } else { "" });
    cell(text, !late || std::env::var_os(HOLD_TIMES).is_none())
}

/// A figure that depends on how the machine keeps time: claimed where it has nothing else to do.
pub(crate) fn steady(text: impl ToString, holds: bool) -> Cell {
    cell(text, holds || std::env::var_os(HOLD_TIMES).is_none())
}

/// Claims as rows, what was measured beside them.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new<T: ToString>(title: impl Into<String>, columns: impl IntoIterator<Item = T>) -> Self {
        let columns = columns.into_iter().map(|column| column.to_string()).collect();
        Self { title: title.into(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// A claim with a figure for each column.
    pub(crate) fn row(&mut self, claim: impl Into<String>, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push((claim.into(), cells.into_iter().collect()));
    }

    /// A line below the table.
    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    fn broken(&self) -> Vec<String> {
        let claims = self.rows.iter().flat_map(|(claim, cells)| {
            let cells = cells.iter().zip(&self.columns).filter(|(cell, _)| !cell.holds);
            cells.map(move |(cell, column)| (claim, column, &cell.text))
        });
        claims.map(|(claim, column, text)| format!("{}: {claim}: {column}: {text}", self.title)).collect()
    }

    /// The width of each column, the claims' first.
    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![self.rows.iter().map(|(claim, _)| length(claim)).max().unwrap_or(0)];
        for (index, column) in self.columns.iter().enumerate() {
            let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(index));
            let widest = cells.map(|cell| length(&marked(cell))).max().unwrap_or(0);
            widths.push(widest.max(length(column)));
        }
        widths
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn marked(cell: &Cell) -> String {
    if cell.holds { cell.text.clone() } else { format!("{} BROKEN", cell.text) }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let line = |f: &mut fmt::Formatter<'_>, claim: &str, cells: &[String]| {
            write!(f, "| {claim:<width$} |", width = widths[0])?;
            for (cell, width) in cells.iter().zip(&widths[1..]) {
                write!(f, " {cell:>width$} |")?;
            }
            writeln!(f)
        };
        writeln!(f, "\n{}\n", self.title)?;
        line(f, "", &self.columns)?;
        let rules: Vec<String> = widths[1..].iter().map(|width| "-".repeat(*width)).collect();
        line(f, &"-".repeat(widths[0]), &rules)?;
        for (claim, cells) in &self.rows {
            line(f, claim, &cells.iter().map(marked).collect::<Vec<_>>())?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// All tables of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) tables: Vec<Table>,
    /// Scenes that could not go on.
    pub(crate) abandoned: Vec<&'static str>,
}

impl Report {
    /// The claims that do not hold.
    pub(crate) fn broken(&self) -> Vec<String> {
        let abandoned = self.abandoned.iter().map(|scene| format!("{scene}: could not go on"));
        abandoned.chain(self.tables.iter().flat_map(Table::broken)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| table.fmt(f))
    }
}

#[test]
fn a_broken_claim_is_marked_and_told() {
    let mut table = Table::new("T", ["one", "two"]);
    table.row("errors", [cell(0, true), cell(3, false)]);
    table.note("why");
    let text = table.to_string();
    assert!(text.contains("| errors |   0 | 3 BROKEN |\n  why\n"), "{text}");
    let report = Report { tables: vec![table], abandoned: vec!["s"] };
    assert_eq!(report.broken(), ["s: could not go on", "T: errors: two: 3"]);
}
