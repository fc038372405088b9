//! Whether calls have become clearly dearer than they were, and than they may be.

use std::process::ExitCode;

use crate::allocations;
use crate::cases::Case;
use crate::faces::{Face, assert_alike};
use crate::instructions::{count_all, count_both};
use crate::peer::Peer;
use crate::table::{Table, grouped};

/// What a call takes more than the same written by hand.
struct More {
    face: Face,
    case: Case,
    instructions: f64,
    allocations: f64,
}

const fn more(face: Face, case: Case, instructions: f64, allocations: f64) -> More {
    More { face, case, instructions, allocations }
}

/// As it was measured last, on 2026-11-27 with rustc 1.95.0 on an AMD EPYC, rounded. Whoever makes calls
/// cheaper, or dearer for a reason, writes it down here.
const RECORDED: [More; 13] = [
    more(Face::Reqwest, Case::Retrieve, 3_500.0, 6.0),
    more(Face::Reqwest, Case::Create, 3_000.0, 3.0),
    more(Face::Reqwest, Case::Page100, -180_000.0, 12.0),
    more(Face::BlockingReqwest, Case::Retrieve, 4_500.0, 7.0),
    more(Face::BlockingReqwest, Case::Create, 3_500.0, 5.0),
    more(Face::BlockingReqwest, Case::Page100, -180_000.0, 12.0),
    more(Face::Isahc, Case::Retrieve, -1_500.0, 4.0),
    more(Face::Isahc, Case::Create, -3_000.0, 6.0),
    more(Face::Isahc, Case::Page100, -30_000.0, 9.0),
    more(Face::Ureq, Case::Retrieve, 1_500.0, -2.0),
    more(Face::Ureq, Case::Create, 4_000.0, 1.0),
    more(Face::Ureq, Case::Page100, -240_000.0, -3.0),
    more(Face::Ureq, Case::Batch100, 1_630_000.0, 808.0),
];

/// How much more than recorded is put down to chance and to other compilers: of the instructions a part
/// of those by hand, of the allocations so many, or a part of those recorded.
const TOLERATED_PART: f64 = 0.03;
const TOLERATED_ALLOCATIONS: f64 = 2.0;

pub fn check() -> ExitCode {
    let peer = Peer::start();
    let of: Vec<(Face, Case)> = RECORDED.iter().map(|more| (more.face, more.case)).collect();
    let mut table = Table::new(&[
        "call",
        "over",
        "ratio of instructions",
        "more instructions",
        "at most",
        "more allocations",
        "at most",
        "",
    ]);
    let mut dearer = 0;
    Face::ALL.into_iter().for_each(|face| assert_alike(face, &peer.url));
    for (recorded, [by_hand, typed]) in RECORDED.iter().zip(count_all(&of, &peer.url)) {
        let most_instructions = recorded.instructions + TOLERATED_PART * by_hand;
        let mut instructions = typed - by_hand;
        if instructions > most_instructions {
            // Threads make counts differ somewhat; what is dearer is so twice.
            let [by_hand, typed] = count_both(recorded.face, recorded.case, &peer.url);
            instructions = instructions.min(typed - by_hand);
        }
        let [by_hand_allocations, typed_allocations] =
            allocations::count(recorded.face, recorded.case, &peer.url);
        let allocations = typed_allocations - by_hand_allocations;
        let tolerated = TOLERATED_ALLOCATIONS.max(TOLERATED_PART * recorded.allocations);
        let most_allocations = recorded.allocations + tolerated;
        let is_within = instructions <= most_instructions && allocations <= most_allocations;
        dearer += usize::from(!is_within);
        table.row(vec![
            recorded.case.title().to_owned(),
            recorded.face.title().to_owned(),
            format!("{:.3}", 1.0 + instructions / by_hand),
            grouped(instructions),
            grouped(most_instructions),
            format!("{allocations:.1}"),
            format!("{most_allocations:.1}"),
            if is_within { "" } else { "DEARER" }.to_owned(),
        ]);
    }
    println!("{table}");
    if dearer > 0 {
        eprintln!(
            "{dearer} calls have become dearer; `benches/calls/check.rs` has what was recorded"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
