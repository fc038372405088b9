//! Users, the teams they belong to, and what they want to be told.

use crate::sandbox::cell::Cell;
use crate::sandbox::json::Json;
use crate::sandbox::population::generator::{Creation, Day, Generator, optional};
use crate::sandbox::population::words;
use crate::sandbox::schema::Resource;
use crate::sandbox::writes::slug;

/// The oldest users came so long ago.
const FIRST_DAY: Day = -2190;

/// A user as the others see them.
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) name: String,
    last_name: &'static str,
    joined: Day,
}

pub(super) struct People {
    pub(super) staff: Vec<Person>,
    /// The owners of the teams come first, the longest here before the others.
    pub(super) researchers: Vec<Person>,
}

pub(super) struct Member {
    pub(super) user: i64,
    pub(super) role: &'static str,
    since: Day,
}

pub(super) struct Team {
    pub(super) id: i64,
    pub(super) created: Day,
    pub(super) investigator: String,
    /// The owner comes first.
    pub(super) members: Vec<Member>,
    pub(super) grants: Vec<i64>,
    pub(super) publications: Vec<i64>,
}

impl Team {
    pub(super) fn owner(&self) -> i64 {
        self.members.first().map_or(0, |owner| owner.user)
    }

    /// Those who belonged to it on a day, and who may submit requests if that is asked.
    pub(super) fn members_on(&self, day: Day, privileged: bool) -> Vec<i64> {
        let members = self.members.iter().filter(|it| it.since <= day);
        members.filter(|it| !privileged || it.role != "MB").map(|it| it.user).collect()
    }
}

impl Generator<'_> {
    pub(super) fn people(&mut self) -> People {
        let shape = self.shape;
        let mut people = People { staff: Vec::new(), researchers: Vec::new() };
        let columns = [
            "username",
            "password",
            "first_name",
            "last_name",
            "email",
            "department",
            "role",
            "is_active",
            "is_staff",
            "is_ldap_user",
            "date_joined",
            "last_login",
        ];
        let Some(sheet) = self.sheet(Resource::Users, columns) else { return people };
        let password = self.password();
        let mut days: Vec<Day> = (1..shape.users).map(|_| self.within(FIRST_DAY, -30)).collect();
        days.push(FIRST_DAY);
        days.sort_unstable();
        let every = shape.users / shape.staff;
        for (number, joined) in days.into_iter().enumerate() {
            let staff = number % every == every - 1 && people.staff.len() < shape.staff;
            let among = people.researchers.len();
            let active = staff || among < shape.teams || among % 20 != 19;
            let first_name = self.word(words::FIRST_NAMES);
            let last_name = self.word(words::LAST_NAMES);
            let initial = first_name.chars().take(1).collect::<String>();
            let username = slug(&format!("{initial}{last_name}"));
            let username = self.free(Resource::Users, "username", &username, "");
            let department = self.word(words::DEPARTMENTS);
            let role = self.word(match staff {
                true => words::STAFF_ROLES,
                false if among < shape.teams => words::OWNER_ROLES,
                false => words::ROLES,
            });
            let moment = self.moment(joined);
            let seen = optional(active && self.chance(85), || {
                let since = self.within((joined + 1).max(-90), -1);
                Cell::Moment(self.moment(since))
            });
            let cells = [
                Cell::text(&username),
                password.clone(),
                Cell::text(first_name),
                Cell::text(last_name),
                Cell::text(&format!("{username}@example.edu")),
                Cell::text(if staff { "Research Computing" } else { department }),
                Cell::text(role),
                Cell::Boolean(active),
                Cell::Boolean(staff),
                Cell::Boolean(self.chance(40)),
                Cell::Moment(moment),
                seen,
            ];
            let id = self.add(&sheet, Creation { moment, by: None }, cells);
            let name = format!("{first_name} {last_name}");
            let person = Person { id, name, last_name, joined };
            (if staff { &mut people.staff } else { &mut people.researchers }).push(person);
        }
        people
    }

    pub(super) fn teams(&mut self, people: &People) -> Vec<Team> {
        let researchers = &people.researchers;
        let mut teams: Vec<Team> = Vec::with_capacity(self.shape.teams);
        for owner in researchers.iter().take(self.shape.teams) {
            let created = owner.joined + self.within(0, 20);
            let owner_first = Member { user: owner.id, role: "OW", since: created };
            teams.push(Team {
                id: 0,
                created,
                investigator: owner.name.clone(),
                members: vec![owner_first],
                grants: Vec::new(),
                publications: Vec::new(),
            });
        }
        let seconds = researchers.len() / 4;
        let mut others: Vec<&Person> = researchers.iter().skip(teams.len()).collect();
        let all: Vec<&Person> = researchers.iter().collect();
        others.extend(self.some(&all, seconds));
        for person in others {
            let role = if self.chance(20) { "AD" } else { "MB" };
            let later = self.within(0, 60);
            let count = i64::try_from(teams.len()).unwrap_or_default();
            let mut at = usize::try_from(self.within(0, count - 1)).unwrap_or_default();
            let is_in = |team: &Team| team.members.iter().any(|it| it.user == person.id);
            while teams.get(at).is_some_and(is_in) {
                at = (at + 1) % teams.len();
            }
            if let Some(team) = teams.get_mut(at) {
                let since = (team.created.max(person.joined) + later).min(-1);
                team.members.push(Member { user: person.id, role, since });
            }
        }
        let owners = researchers.iter();
        let names: Vec<&str> = owners.take(teams.len()).map(|owner| owner.last_name).collect();
        self.store_teams(&mut teams, &names);
        self.store_memberships(&teams);
        teams
    }

    fn store_teams(&mut self, teams: &mut [Team], names: &[&str]) {
        let groups = self.server.schema.table(Resource::ResearchGroups);
        let resource = groups.map_or(Resource::Teams, |groups| groups.resource);
        let columns = ["name", "slug", "is_active", "pi", "admins", "members"];
        let Some(sheet) = self.sheet(resource, columns) else { return };
        for (number, (team, last_name)) in teams.iter_mut().zip(names).enumerate() {
            let (topic, kind) = (self.word(words::TOPICS), self.word(words::TEAM_KINDS));
            let name = self.free(resource, "name", &format!("{last_name} {topic} {kind}"), " ");
            let with = |role| {
                let members = team.members.iter().filter(move |member| member.role == role);
                Cell::ids(members.map(|member| member.user).collect())
            };
            let cells = [
                Cell::text(&name),
                Cell::text(&slug(&name)),
                Cell::Boolean(number % 15 != 14),
                Cell::Integer(team.owner()),
                with("AD"),
                with("MB"),
            ];
            let creation = Creation { moment: self.moment(team.created), by: Some(team.owner()) };
            team.id = self.add(&sheet, creation, cells);
        }
    }

    fn store_memberships(&mut self, teams: &[Team]) {
        let columns = ["role", "user", "team"];
        let Some(sheet) = self.sheet(Resource::Memberships, columns) else { return };
        for team in teams {
            for member in &team.members {
                let cells =
                    [Cell::text(member.role), Cell::Integer(member.user), Cell::Integer(team.id)];
                let moment = self.moment((member.since + 1).min(-1));
                self.add(&sheet, Creation { moment, by: Some(team.owner()) }, cells);
            }
        }
    }

    pub(super) fn preferences(&mut self, people: &People) {
        let columns = ["user", "request_expiry_thresholds", "notify_on_expiration"];
        let Some(sheet) = self.sheet(Resource::Preferences, columns) else { return };
        let all: Vec<&Person> = people.researchers.iter().chain(&people.staff).collect();
        let mut some = self.some(&all, self.shape.preferences);
        some.sort_unstable_by_key(|person| person.id);
        for person in some {
            let thresholds: &[i128] = match self.within(0, 9) {
                0 => &[],
                1 | 2 => &[60, 30, 7],
                _ => &[30, 14],
            };
            let thresholds = thresholds.iter().copied().map(Json::Integer).collect();
            let cells = [
                Cell::Integer(person.id),
                Cell::Json(Box::new(Json::List(thresholds))),
                Cell::Boolean(!self.chance(10)),
            ];
            let moment = self.moment(person.joined);
            self.add(&sheet, Creation { moment, by: Some(person.id) }, cells);
        }
    }
}
