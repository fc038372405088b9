//! The short forms in which records appear inside others.

use crate::sandbox::schema::{Computation, Output};

pub(super) static USER: &[Output] = &[
    Output::Column("id"),
    Output::Column("username"),
    Output::Column("first_name"),
    Output::Column("last_name"),
    Output::Computed("display_name", Computation::DisplayName),
    Output::Computed("abbreviation", Computation::Abbreviation),
    Output::Column("email"),
    Output::Column("department"),
    Output::Column("role"),
];

pub(super) static TEAM: &[Output] = &[
    Output::Column("id"),
    Output::Column("slug"),
    Output::Column("name"),
    Output::Column("is_active"),
];

pub(super) static CLUSTER: &[Output] =
    &[Output::Column("id"), Output::Column("name"), Output::Column("enabled")];

pub(super) static REQUEST: &[Output] = &[
    Output::Column("id"),
    Output::Column("title"),
    Output::Column("status"),
    Output::Column("active"),
    Output::Column("expire"),
];

/// A membership as the team shows it.
pub(super) static USER_ROLE: &[Output] = &[
    Output::Column("id"),
    Output::Column("user"),
    Output::Column("role"),
    Output::One { name: "_user", column: "user", of: USER },
];

/// A membership as the user shows it.
pub(super) static TEAM_ROLE: &[Output] = &[
    Output::Column("id"),
    Output::Column("team"),
    Output::Column("role"),
    Output::One { name: "_team", column: "team", of: TEAM },
];

pub(super) static ALLOCATION: &[Output] = &[
    Output::Column("id"),
    Output::Column("cluster"),
    Output::Column("requested"),
    Output::Column("awarded"),
    Output::Column("final"),
    Output::One { name: "_cluster", column: "cluster", of: CLUSTER },
];

pub(super) static ATTACHMENT: &[Output] = &[Output::Column("file"), Output::Column("name")];

pub(super) static COMMENT: &[Output] = &[
    Output::Column("id"),
    Output::Column("user"),
    Output::Column("content"),
    Output::Column("created"),
    Output::Column("private"),
    Output::One { name: "_user", column: "user", of: USER },
];

pub(super) static GRANT: &[Output] = &[
    Output::Column("id"),
    Output::Column("title"),
    Output::Column("agency"),
    Output::Column("pi"),
    Output::Column("amount"),
    Output::Column("grant_number"),
    Output::Column("start_date"),
    Output::Column("end_date"),
    Output::Column("description"),
    Output::Column("team"),
];

pub(super) static PUBLICATION: &[Output] = &[
    Output::Column("id"),
    Output::Column("title"),
    Output::Column("abstract"),
    Output::Column("published"),
    Output::Column("submitted"),
    Output::Column("journal"),
    Output::Column("doi"),
    Output::Column("volume"),
    Output::Column("issue"),
    Output::Column("team"),
];
