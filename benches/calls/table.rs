//! Tables in Markdown, with columns that stand under one another.

/// Text goes left, numbers right.
pub fn print(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = String>| {
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    let cell = |text: &str, column: usize| match column {
        0 => format!("{text:<width$}", width = widths[column]),
        _ => format!("{text:>width$}", width = widths[column]),
    };
    line(&mut head.iter().enumerate().map(|(column, text)| cell(text, column)));
    line(&mut widths.iter().enumerate().map(|(column, width)| match column {
        0 => "-".repeat(*width),
        _ => format!("{}:", "-".repeat(width.saturating_sub(1))),
    }));
    for row in rows {
        line(&mut row.iter().enumerate().map(|(column, text)| cell(text, column)));
    }
    println!();
}

/// A number with its thousands apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 && text != "0" { format!("-{text}") } else { text }
}

pub fn ratio(ratio: f64) -> String {
    format!("{ratio:.3}")
}
