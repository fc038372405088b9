//! What is said about requests: reviews, comments and notifications.

use crate::sandbox::cell::Cell;
use crate::sandbox::population::generator::{Creation, Day, Generator, Moment};
use crate::sandbox::population::people::{People, Team};
use crate::sandbox::population::requests::Request;
use crate::sandbox::population::words;
use crate::sandbox::schema::Resource;

struct Review<'r> {
    request: &'r Request,
    status: &'static str,
    moment: Moment,
}

struct Message {
    moment: Moment,
    user: i64,
    kind: &'static str,
    subject: String,
    text: String,
}

impl Generator<'_> {
    pub(super) fn reviews(&mut self, people: &People, teams: &[Team], requests: &[Request]) {
        self.comments(people, teams, requests);
        let columns = [
            "status",
            "submitted",
            "date_modified",
            "public_comments",
            "private_comments",
            "request",
            "reviewer",
        ];
        let Some(sheet) = self.sheet(Resource::Reviews, columns) else { return };
        // Each request that is decided has a review; some had a first one that asked for changes.
        let decided: Vec<&Request> = requests.iter().filter(|it| it.status != "PD").collect();
        let approved: Vec<&Request> = requests.iter().filter(|it| it.status == "AP").collect();
        let firsts = self.some(&approved, self.shape.reviews.saturating_sub(decided.len()));
        let mut reviews = Vec::with_capacity(self.shape.reviews);
        for request in decided {
            let moment = self.moment(request.decided).max(request.moment + 1);
            reviews.push(Review { request, status: request.status, moment });
        }
        for request in firsts {
            let day = self.within(request.submitted, request.decided);
            let moment = self.moment(day).max(request.moment);
            reviews.push(Review { request, status: "CR", moment });
        }
        reviews.sort_by_key(|review| (review.moment, review.request.id));
        for Review { request, status, moment } in reviews {
            let reviewer = self.pick(&request.assignees).copied().unwrap_or_default();
            let remark = |random: &mut Self, percent| {
                let remark = random.chance(percent).then(|| random.word(words::REMARKS));
                remark.map_or(Cell::Null, Cell::text)
            };
            let cells = [
                Cell::text(status),
                Cell::Moment(moment),
                Cell::Moment(moment),
                remark(self, 60),
                remark(self, 25),
                Cell::Integer(request.id),
                Cell::Integer(reviewer),
            ];
            self.add(&sheet, Creation { moment, by: Some(reviewer) }, cells);
        }
    }

    fn comments(&mut self, people: &People, teams: &[Team], requests: &[Request]) {
        let columns = ["user", "content", "created", "private", "request"];
        let Some(sheet) = self.sheet(Resource::Comments, columns) else { return };
        let shares = self.shares(requests.len(), 0, 4, self.shape.comments);
        let mut comments = Vec::with_capacity(shares.len());
        for at in shares {
            let Some(request) = requests.get(at) else { continue };
            let day = self.within(request.submitted, request.decided);
            let by_staff = self.chance(40);
            let author = if by_staff {
                self.pick(&people.staff).map(|person| person.id)
            } else {
                let members = teams.get(request.team).map(|team| team.members_on(day, false));
                self.pick(&members.unwrap_or_default()).copied()
            };
            let author = author.unwrap_or(request.submitter);
            let private = by_staff && self.chance(33);
            let moment = self.moment(day).max(request.moment);
            comments.push((moment, author, private, self.word(words::REMARKS), request.id));
        }
        comments.sort_by_key(|comment| comment.0);
        for (moment, author, private, content, request) in comments {
            let cells = [
                Cell::Integer(author),
                Cell::text(content),
                Cell::Moment(moment),
                Cell::Boolean(private),
                Cell::Integer(request),
            ];
            self.add(&sheet, Creation { moment, by: Some(author) }, cells);
        }
    }

    pub(super) fn notifications(&mut self, people: &People, requests: &[Request]) {
        let columns = [
            "time",
            "read",
            "subject",
            "message_html",
            "message_text",
            "notification_type",
            "user",
        ];
        let Some(sheet) = self.sheet(Resource::Notifications, columns) else { return };
        // Notices of an end are sent 30 days before it and on the day after it.
        let due = |request: &&Request| request.expire.is_some_and(|expire| expire - 30 < 0);
        let due: Vec<&Request> = requests.iter().filter(due).collect();
        let users: Vec<i64> =
            people.researchers.iter().chain(&people.staff).map(|person| person.id).collect();
        let mut messages = Vec::with_capacity(self.shape.notifications);
        for _ in 0..self.shape.notifications {
            let request = if self.chance(50) { self.pick(&due).copied() } else { None };
            messages.push(match request.and_then(|it| Some((it, it.expire?))) {
                Some((request, expire)) => self.notice(request, expire),
                None => self.news(&users),
            });
        }
        messages.sort_by_key(|message| message.moment);
        for Message { moment, user, kind, subject, text } in messages {
            let recent = moment >= self.moment(-14);
            let read = self.chance(if recent { 40 } else { 80 });
            let cells = [
                Cell::Moment(moment),
                Cell::Boolean(read),
                Cell::text(&subject),
                Cell::text(&format!("<p>{text}</p>")),
                Cell::text(&text),
                Cell::text(kind),
                Cell::Integer(user),
            ];
            self.add(&sheet, Creation { moment, by: None }, cells);
        }
    }

    fn notice(&mut self, request: &Request, expire: Day) -> Message {
        let Request { id, title, submitter, .. } = request;
        let ended = expire < -1 && self.chance(50);
        let (kind, day, subject, text) = if ended {
            let subject = format!("Your HPC allocation {id} has expired");
            let text = format!("Request {id}, “{title}”, ended on {}.", self.date(expire));
            ("RD", expire + 1, subject, text)
        } else {
            let subject = format!("Your HPC allocation {id} is expiring soon");
            let text = format!("Request {id}, “{title}”, will end on {}.", self.date(expire));
            ("RE", expire - 30, subject, text)
        };
        let moment = self.moment(day);
        Message { moment, user: *submitter, kind, subject, text }
    }

    fn news(&mut self, users: &[i64]) -> Message {
        let day = self.within(-365, -1);
        let (subject, text) = match self.within(0, 2) {
            0 => ("Maintenance", "All clusters are down on the first Tuesday of the month."),
            1 => ("Training", "An introduction to parallel programming is open for registration."),
            _ => {
                ("New software", "The compilers have been updated; older versions stay available.")
            }
        };
        Message {
            moment: self.moment(day),
            user: self.pick(users).copied().unwrap_or_default(),
            kind: "GM",
            subject: subject.to_owned(),
            text: text.to_owned(),
        }
    }
}
