//! Requests of all ages in every status, what they ask for, and the files that go with them.

use crate::sandbox::cell::Cell;
use crate::sandbox::population::clusters::Cluster;
use crate::sandbox::population::generator::{Creation, Day, Generator, Moment, optional};
use crate::sandbox::population::people::{People, Team};
use crate::sandbox::schema::Resource;

/// Where in its life a request is.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Ended,
    /// Ends within these days.
    Ends(Day, Day),
    WithoutEnd,
    NotBegun,
    Pending,
    Declined,
    ChangesRequested,
}

/// The stages of twenty requests.
#[rustfmt::skip]
static STAGES: [Stage; 20] = [
    Stage::Ended, Stage::Pending, Stage::Ends(1, 30), Stage::Ended, Stage::Ends(91, 360),
    Stage::Declined, Stage::Ended, Stage::Ends(31, 60), Stage::Pending, Stage::WithoutEnd,
    Stage::Ended, Stage::Ends(61, 90), Stage::ChangesRequested, Stage::Ended, Stage::Ends(91, 360),
    Stage::Ended, Stage::NotBegun, Stage::Pending, Stage::Ended, Stage::Ends(91, 360),
];

/// The days of a request before its team is known.
struct Plan {
    stage: Stage,
    submitted: Day,
    active: Option<Day>,
    expire: Option<Day>,
}

/// A request that is stored.
pub(super) struct Request {
    pub(super) id: i64,
    /// The position of the team among the teams.
    pub(super) team: usize,
    pub(super) status: &'static str,
    pub(super) title: String,
    pub(super) submitter: i64,
    pub(super) submitted: Day,
    pub(super) moment: Moment,
    /// The last day on which it was decided about, or the present.
    pub(super) decided: Day,
    pub(super) expire: Option<Day>,
    pub(super) assignees: Vec<i64>,
}

impl Stage {
    fn status(self) -> &'static str {
        match self {
            Self::Pending => "PD",
            Self::Declined => "DC",
            Self::ChangesRequested => "CR",
            _ => "AP",
        }
    }
}

impl Generator<'_> {
    pub(super) fn requests(
        &mut self,
        people: &People,
        teams: &[Team],
        clusters: &[Cluster],
    ) -> Vec<Request> {
        let columns = [
            "title",
            "description",
            "submitted",
            "active",
            "expire",
            "status",
            "submitter",
            "team",
            "group",
            "assignees",
            "publications",
            "grants",
        ];
        let Some(sheet) = self.sheet(Resource::Requests, columns) else { return Vec::new() };
        let staff: Vec<i64> = people.staff.iter().map(|person| person.id).collect();
        let mut plans: Vec<Plan> = STAGES
            .iter()
            .cycle()
            .take(self.shape.requests)
            .map(|&stage| self.plan(stage))
            .collect();
        plans.sort_by_key(|plan| plan.submitted);
        let mut requests = Vec::with_capacity(plans.len());
        for Plan { stage, submitted, active, expire } in plans {
            // The teams are in the order in which their owners came.
            let old_enough = teams.partition_point(|team| team.created + 20 < submitted).max(1);
            let last = i64::try_from(old_enough).unwrap_or_default() - 1;
            let place = usize::try_from(self.within(0, last)).unwrap_or_default();
            let Some(team) = teams.get(place) else { continue };
            let submitters = team.members_on(submitted, true);
            let submitter = self.pick(&submitters).copied().unwrap_or(team.owner());
            let count = if self.chance(30) { 2 } else { 1 };
            let assignees = self.some(&staff, count);
            let moment = self.moment(submitted);
            let title = self.title();
            let sentences = usize::try_from(self.within(2, 4)).unwrap_or_default();
            let description = self.paragraph(sentences);
            let date = |day: Option<Day>| day.map_or(Cell::Null, |day| Cell::Date(self.date(day)));
            let (active_cell, expire_cell) = (date(active), date(expire));
            let cells = [
                Cell::text(&title),
                Cell::text(&description),
                Cell::Moment(moment),
                active_cell,
                expire_cell,
                Cell::text(stage.status()),
                Cell::Integer(submitter),
                Cell::Integer(team.id),
                Cell::Integer(team.id),
                Cell::ids(assignees.clone()),
                self.a_few(&team.publications),
                self.a_few(&team.grants),
            ];
            let id = self.add(&sheet, Creation { moment, by: Some(submitter) }, cells);
            let decided = match (stage, active) {
                (Stage::Pending, _) => -1,
                (_, Some(active)) => active.clamp(submitted, -1),
                (_, None) => (submitted + self.within(1, 20)).min(-1),
            };
            requests.push(Request {
                id,
                team: place,
                status: stage.status(),
                title,
                submitter,
                submitted,
                moment,
                decided,
                expire,
                assignees,
            });
        }
        self.allocations(&requests, teams, clusters);
        self.attachments(&requests);
        requests
    }

    fn plan(&mut self, stage: Stage) -> Plan {
        let waited = self.within(3, 30);
        let (active, expire) = match stage {
            Stage::Ended => {
                let expire = self.within(-1400, -1);
                let length = self.pick(&[90, 180, 365, 365, 365]).copied().unwrap_or(365);
                (Some(expire - length), Some(expire))
            }
            Stage::Ends(first, last) => {
                let expire = self.within(first, last);
                (Some(expire - 365), Some(expire))
            }
            Stage::WithoutEnd => (Some(self.within(-1000, -1)), None),
            Stage::NotBegun => {
                let active = self.within(1, 30);
                (Some(active), Some(active + 365))
            }
            _ => (None, None),
        };
        let submitted = match (stage, active) {
            (Stage::Pending, _) => self.within(-45, -1),
            (Stage::Declined, _) => self.within(-1500, -10),
            (Stage::ChangesRequested, _) => self.within(-90, -5),
            (_, active) => active.map_or(-1, |active| active.min(-1) - waited),
        };
        Plan { stage, submitted, active, expire }
    }

    /// Up to two of some ids.
    fn a_few(&mut self, ids: &[i64]) -> Cell {
        let count = usize::try_from(self.within(0, 2)).unwrap_or_default();
        Cell::ids(self.some(ids, count))
    }

    fn allocations(&mut self, requests: &[Request], teams: &[Team], clusters: &[Cluster]) {
        let columns = ["requested", "awarded", "final", "cluster", "request"];
        let Some(sheet) = self.sheet(Resource::Allocations, columns) else { return };
        let shares = self.shares(requests.len(), 1, 3, self.shape.allocations);
        for shares in shares.chunk_by(|left, right| left == right) {
            let Some(request) = shares.first().and_then(|&at| requests.get(at)) else { continue };
            let Some(team) = teams.get(request.team) else { continue };
            let open = clusters.iter().filter(|cluster| cluster.admits(team));
            let open: Vec<i64> = open.map(|cluster| cluster.id).collect();
            let ended = request.expire.is_some_and(|expire| expire < 0);
            for cluster in self.some(&open, shares.len()) {
                let requested = self.within(1, 500) * 1000;
                let share = self.pick(&[50, 75, 100, 100]).copied().unwrap_or(100);
                let awarded = requested * share / 100;
                let counted = ended && !self.chance(10);
                let cells = [
                    Cell::Integer(requested),
                    optional(request.status == "AP", || Cell::Integer(awarded)),
                    optional(counted, || Cell::Integer(self.within(0, awarded))),
                    Cell::Integer(cluster),
                    Cell::Integer(request.id),
                ];
                let creation = Creation { moment: request.moment, by: Some(request.submitter) };
                self.add(&sheet, creation, cells);
            }
        }
    }

    fn attachments(&mut self, requests: &[Request]) {
        let Some(sheet) =
            self.sheet(Resource::Attachments, ["file", "name", "uploaded", "request"])
        else {
            return;
        };
        let shares = self.shares(requests.len(), 0, 2, self.shape.attachments);
        for shares in shares.chunk_by(|left, right| left == right) {
            let Some(request) = shares.first().and_then(|&at| requests.get(at)) else { continue };
            for (name, _) in ["proposal.pdf", "budget.xlsx"].iter().zip(shares) {
                let stored = self.server.store_file(&format!("{}_{name}", request.id));
                let moment = self.soon_after(request.moment);
                let cells = [
                    Cell::text(&stored),
                    Cell::text(name),
                    Cell::Moment(moment),
                    Cell::Integer(request.id),
                ];
                self.add(&sheet, Creation { moment, by: Some(request.submitter) }, cells);
            }
        }
    }
}
