//! Clusters, and which teams may use them.

use crate::sandbox::cell::Cell;
use crate::sandbox::population::generator::{Creation, Day, Generator};
use crate::sandbox::population::people::Team;
use crate::sandbox::schema::Resource;

/// Before anyone came.
const FIRST_DAY: Day = -2200;

static CLUSTERS: &[(&str, &str)] = &[
    ("beacon", "General purpose, nodes of 64 cores with 256 GB of memory."),
    ("cascade", "Jobs of many nodes over a fast interconnect."),
    ("ember", "Nodes with four graphics processors each."),
    ("fjord", "Nodes with up to 4 TB of memory."),
    ("lantern", "Many short jobs of few cores."),
    ("granite", "The general-purpose cluster before beacon."),
    ("harbour", "Data sets that are shared between teams."),
    ("isthmus", "Graphics processors for teaching."),
    ("juniper", "Protected data."),
    ("kestrel", "Interactive work."),
    ("meadow", "Cores that are lent at night."),
    ("nimbus", "Virtual machines."),
];

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Open,
    Whitelist,
    Blacklist,
}

pub(super) struct Cluster {
    pub(super) id: i64,
    mode: Mode,
    /// The ids of the teams on the list, ascending.
    teams: Vec<i64>,
}

impl Cluster {
    pub(super) fn admits(&self, team: &Team) -> bool {
        let listed = self.teams.binary_search(&team.id).is_ok();
        match self.mode {
            Mode::Open => true,
            Mode::Whitelist => listed,
            Mode::Blacklist => !listed,
        }
    }
}

impl Generator<'_> {
    /// There are always three to which every team has access.
    pub(super) fn clusters(&mut self, teams: &[Team]) -> Vec<Cluster> {
        let columns = ["name", "description", "enabled", "access_mode", "access_teams"];
        let Some(sheet) = self.sheet(Resource::Clusters, columns) else { return Vec::new() };
        let ids: Vec<i64> = teams.iter().map(|team| team.id).collect();
        let known = CLUSTERS.iter().take(self.shape.clusters).enumerate();
        let mut clusters = Vec::with_capacity(self.shape.clusters);
        for (number, (name, description)) in known {
            let (mode, code, listed) = match number {
                3 | 8 | 11 => (Mode::Whitelist, "WL", ids.len().div_ceil(3)),
                4 => (Mode::Blacklist, "BL", ids.len().div_ceil(10)),
                _ => (Mode::Open, "OP", 0),
            };
            let mut teams = self.some(&ids, listed);
            teams.sort_unstable();
            let name = self.free(Resource::Clusters, "name", name, "-");
            let cells = [
                Cell::text(&name),
                Cell::text(description),
                Cell::Boolean(number != 5),
                Cell::text(code),
                Cell::ids(teams.clone()),
            ];
            let moment = self.moment(FIRST_DAY);
            let id = self.add(&sheet, Creation { moment, by: None }, cells);
            clusters.push(Cluster { id, mode, teams });
        }
        clusters
    }
}
