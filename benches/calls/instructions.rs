//! How many instructions the calls take, as callgrind counts them: unlike times, that repeats.
//!
//! Each side runs in a process of its own, once with few calls and once with many. The difference is
//! theirs alone: starting, connecting and what is done once drop out.

use std::env;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::cases::Case;
use crate::faces::{Face, Side, assert_alike};
use crate::machine;
use crate::peer::Peer;
use crate::table::{Table, grouped};

/// How many calls a process makes at least, and how many more.
const fn calls(case: Case) -> (usize, usize) {
    match case {
        Case::Retrieve | Case::Create => (20, 400),
        Case::Page100 => (5, 40),
        Case::Page1000 | Case::Requests100 | Case::Batch100 => (3, 10),
        Case::InFlight64 | Case::Walk => (2, 3),
    }
}

/// Instructions for each call.
fn count(face: Face, side: Side, case: Case, url: &str) -> f64 {
    let (few, more) = calls(case);
    let total = |times: usize| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().expect("this program is a file"))
            .args(["perform", face.id(), side.id(), case.id(), &times.to_string(), url])
            .output()
            .expect("valgrind is installed");
        let report = String::from_utf8_lossy(&output.stderr);
        let count = report.split("Collected : ").nth(1).and_then(|rest| rest.lines().next());
        match count.and_then(|count| count.trim().parse::<f64>().ok()) {
            Some(count) if output.status.success() => count,
            _ => panic!("{report}"),
        }
    };
    (total(few + more) - total(few)) / (more * case.calls()) as f64
}

/// By hand, and ours.
pub fn count_both(face: Face, case: Case, url: &str) -> [f64; 2] {
    [Side::Hand, Side::Typed].map(|side| count(face, side, case, url))
}

/// Those of many: by hand, and ours. Two processes run at a time, which the counts do not mind.
pub fn count_all(of: &[(Face, Case)], url: &str) -> Vec<[f64; 2]> {
    let (next, counts) = (AtomicUsize::new(0), Mutex::new(vec![[0.0; 2]; of.len()]));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((face, case)) = of.get(place) else { break };
                    eprintln!("{}: {}", face.title(), case.title());
                    let both = count_both(*face, *case, url);
                    counts.lock().expect("nobody has panicked")[place] = both;
                }
            });
        }
    });
    counts.into_inner().expect("nobody has panicked")
}

pub fn print() {
    let peer = Peer::start();
    println!("{}\n", machine::describe());
    let of: Vec<(Face, Case)> =
        Face::ALL.into_iter().flat_map(|face| Case::ALL.map(|case| (face, case))).collect();
    Face::ALL.into_iter().for_each(|face| assert_alike(face, &peer.url));
    let mut table = Table::new(&["call", "over", "ratio", "more", "by hand", "ours"]);
    for ((face, case), [by_hand, typed]) in of.iter().zip(count_all(&of, &peer.url)) {
        table.row(vec![
            case.title().to_owned(),
            face.title().to_owned(),
            format!("{:.3}", typed / by_hand),
            grouped(typed - by_hand),
            grouped(by_hand),
            grouped(typed),
        ]);
    }
    println!("{table}");
}
