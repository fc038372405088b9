//! Grants and publications of the teams.

use rust_decimal::Decimal;

use crate::sandbox::cell::Cell;
use crate::sandbox::population::generator::{Creation, Generator, optional};
use crate::sandbox::population::people::Team;
use crate::sandbox::population::words;
use crate::sandbox::schema::Resource;

impl Generator<'_> {
    pub(super) fn grants(&mut self, teams: &mut [Team]) {
        let columns = [
            "title",
            "agency",
            "pi",
            "amount",
            "grant_number",
            "fiscal_year",
            "start_date",
            "end_date",
            "description",
            "team",
            "group",
        ];
        let Some(sheet) = self.sheet(Resource::Grants, columns) else { return };
        let owners = self.shares(teams.len(), 0, 4, self.shape.grants);
        for (number, at) in owners.into_iter().enumerate() {
            let Some(team) = teams.get_mut(at) else { continue };
            let noted = self.within(team.created, -1);
            let start = noted - self.within(0, 400);
            let years = self.within(1, 4);
            let agency = self.word(words::AGENCIES);
            let initials: String = agency.chars().filter(|it| it.is_uppercase()).collect();
            let year = self.year(start);
            let open = !sheet.demands("end_date") && self.chance(10);
            let unnumbered = !sheet.demands("grant_number") && self.chance(15);
            let cells = [
                Cell::text(&self.title()),
                Cell::text(agency),
                optional(!self.chance(10), || Cell::text(&team.investigator)),
                Cell::Decimal(Decimal::new(self.within(20_000, 4_000_000) * 100, 2)),
                optional(!unnumbered, || Cell::text(&format!("{initials}-{year}-{number:05}"))),
                Cell::Integer(year),
                Cell::Date(self.date(start)),
                optional(!open, || Cell::Date(self.date(start + 365 * years))),
                optional(self.chance(70), || Cell::text(&self.paragraph(2))),
                Cell::Integer(team.id),
                Cell::Integer(team.id),
            ];
            let creation = Creation { moment: self.moment(noted), by: Some(team.owner()) };
            let id = self.add(&sheet, creation, cells);
            team.grants.push(id);
        }
    }

    pub(super) fn publications(&mut self, teams: &mut [Team]) {
        let columns = [
            "title",
            "abstract",
            "published",
            "submitted",
            "date",
            "journal",
            "doi",
            "volume",
            "issue",
            "team",
            "group",
        ];
        let Some(sheet) = self.sheet(Resource::Publications, columns) else { return };
        let all_out = sheet.demands("date");
        let owners = self.shares(teams.len(), 0, 8, self.shape.publications);
        for (number, at) in owners.into_iter().enumerate() {
            let Some(team) = teams.get_mut(at) else { continue };
            let noted = self.within(team.created, -1);
            // One in five is in preparation; of the others most have been published.
            let submitted = (all_out || !self.chance(20)).then(|| noted - self.within(0, 60));
            let published = submitted.filter(|_| all_out || self.chance(80));
            let published = published.map(|day| (day + self.within(20, 60)).min(-1));
            let doi = published.filter(|_| self.chance(85)).map(|_| {
                let text = format!("10.5555/keystone.{number:06}");
                self.free(Resource::Publications, "doi", &text, "-")
            });
            let is_out = published.is_some();
            let date = |day: Option<i64>| day.map_or(Cell::Null, |day| Cell::Date(self.date(day)));
            let (published, submitted) = (date(published), date(submitted));
            let author = self.pick(&team.members_on(noted, false)).copied();
            let cells = [
                Cell::text(&self.title()),
                optional(sheet.demands("abstract") || self.chance(90), || {
                    Cell::text(&self.paragraph(3))
                }),
                published.clone(),
                submitted,
                published,
                optional(is_out, || Cell::text(self.word(words::JOURNALS))),
                doi.map_or(Cell::Null, |doi| Cell::text(&doi)),
                optional(is_out, || Cell::text(&format!("{}", self.within(1, 40)))),
                optional(is_out, || Cell::text(&format!("{}", self.within(1, 12)))),
                Cell::Integer(team.id),
                Cell::Integer(team.id),
            ];
            let creation =
                Creation { moment: self.moment(noted), by: author.or(Some(team.owner())) };
            let id = self.add(&sheet, creation, cells);
            team.publications.push(id);
        }
    }
}
