//! What is measured.

/// Calls as programs make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Retrieve,
    Create,
    Page100,
    Page1000,
    Requests100,
    Batch100,
    InFlight64,
    Walk,
}

/// How many calls are under way at a time in [`Case::InFlight64`], and how many each of those who
/// make them makes.
pub const CALLERS: usize = 64;
pub const CALLS_OF_EACH: usize = 8;

/// The page size and the records of [`Case::Walk`].
pub const WALK_PAGE: u32 = 1_000;
pub const WALKED: usize = 20_000;

pub const STEPS: u64 = 100;

impl Case {
    pub const ALL: [Self; 8] = [
        Self::Retrieve,
        Self::Create,
        Self::Page100,
        Self::Page1000,
        Self::Requests100,
        Self::Batch100,
        Self::InFlight64,
        Self::Walk,
    ];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Retrieve => "retrieve",
            Self::Create => "create",
            Self::Page100 => "page-100",
            Self::Page1000 => "page-1000",
            Self::Requests100 => "requests-100",
            Self::Batch100 => "batch-100",
            Self::InFlight64 => "in-flight-64",
            Self::Walk => "walk",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Retrieve => "retrieve a cluster",
            Self::Create => "create a cluster",
            Self::Page100 => "page of 100 allocations",
            Self::Page1000 => "page of 1,000 allocations",
            Self::Requests100 => "page of 100 requests",
            Self::Batch100 => "batch of 100 updates",
            Self::InFlight64 => "retrieve, 64 in flight",
            Self::Walk => "walk over 20,000 allocations",
        }
    }

    /// How often it is done in one turn, so that a turn takes some milliseconds.
    pub const fn in_a_turn(self) -> usize {
        match self {
            Self::Retrieve | Self::Create => 100,
            Self::Page100 => 20,
            Self::Page1000 | Self::Requests100 => 4,
            Self::Batch100 => 10,
            Self::InFlight64 => 2,
            Self::Walk => 1,
        }
    }

    /// By what its figures are divided: how many calls it makes at the same time and one after another.
    pub const fn calls(self) -> usize {
        match self {
            Self::InFlight64 => CALLERS * CALLS_OF_EACH,
            _ => 1,
        }
    }

    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.id() == id)
    }
}
