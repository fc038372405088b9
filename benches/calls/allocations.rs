//! How often the calls allocate, and how much memory they hold at the most.

use crate::cases::Case;
use crate::faces::{Face, assert_alike, sides};
use crate::machine;
use crate::measure::{allocations_of, peak_of};
use crate::peer::Peer;
use crate::table::{Table, grouped};

/// Allocations for each call: by hand, and ours. All threads are counted, but nothing that C allocates.
pub fn count(face: Face, case: Case, url: &str) -> [f64; 2] {
    let times = 10 * case.in_a_turn();
    sides(face, url).map(|mut perform| {
        perform(case, times);
        allocations_of(|| perform(case, times)) as f64 / (times * case.calls()) as f64
    })
}

pub fn print() {
    let peer = Peer::start();
    println!("{}\n", machine::describe());
    let mut counts = Table::new(&["call", "over", "more", "by hand", "ours"]);
    let mut peaks = Table::new(&["call", "over", "ratio", "by hand, KB", "ours, KB"]);
    for face in Face::ALL {
        assert_alike(face, &peer.url);
        for case in Case::ALL {
            let [by_hand, typed] = count(face, case, &peer.url);
            counts.row(vec![
                case.title().to_owned(),
                face.title().to_owned(),
                grouped(typed - by_hand),
                grouped(by_hand),
                grouped(typed),
            ]);
        }
        for case in [Case::Page1000, Case::Requests100, Case::Walk] {
            let [by_hand, typed] = sides(face, &peer.url).map(|mut perform| {
                perform(case, 1);
                peak_of(|| perform(case, 1)) as f64
            });
            peaks.row(vec![
                case.title().to_owned(),
                face.title().to_owned(),
                format!("{:.3}", typed / by_hand),
                grouped(by_hand / 1e3),
                grouped(typed / 1e3),
            ]);
        }
    }
    println!("Allocations for each call:\n\n{counts}");
    println!("Memory at the most, beyond what the client holds at rest:\n\n{peaks}");
}
