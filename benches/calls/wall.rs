//! How long the calls take.

use crate::cases::Case;
use crate::faces::{Face, assert_alike, sides};
use crate::machine;
use crate::measure::{Turns, turns};
use crate::peer::Peer;
use crate::table::{Table, grouped};

const TURNS: usize = 41;

/// Of all libraries, or of one.
pub fn print(only: Option<&str>) {
    let peer = Peer::start();
    println!("{}; medians of {TURNS} turns\n", machine::describe());
    let mut table = Table::new(&["call", "over", "ratio", "by hand, µs", "ours, µs"]);
    for face in Face::ALL.into_iter().filter(|face| only.is_none_or(|id| face.id().contains(id))) {
        assert_alike(face, &peer.url);
        for case in Case::ALL {
            eprintln!("{}: {}", face.title(), case.title());
            let [mut by_hand, mut typed] = sides(face, &peer.url);
            let times = case.in_a_turn();
            by_hand(case, times);
            typed(case, times);
            let turns = turns(TURNS, || by_hand(case, times), || typed(case, times));
            table.row(row(face, case, &turns));
        }
    }
    println!("{table}");
}

fn row(face: Face, case: Case, turns: &Turns) -> Vec<String> {
    let calls = case.in_a_turn() * case.calls();
    let microseconds = |nanoseconds: f64| grouped(nanoseconds / 1e3 / calls as f64);
    vec![
        case.title().to_owned(),
        face.title().to_owned(),
        format!("{:.3}", turns.ratio),
        microseconds(turns.first),
        microseconds(turns.second),
    ]
}
