//! What a server notes about its own work: tasks, messages and requests.

use std::fmt::Write as _;

use crate::sandbox::cell::Cell;
use crate::sandbox::population::generator::{Creation, Generator, Moment, optional};
use crate::sandbox::population::people::People;
use crate::sandbox::schema::Resource;

static TASKS: &[(&str, &str)] = &[
    ("Health check", "plugins.tasks.check_services"),
    ("Notify of expirations", "apps.notifications.tasks.notify_past_expirations"),
    ("Rotate logs", "apps.logging.tasks.clear_log_files"),
    ("Synchronise users", "apps.users.tasks.ldap_update_users"),
    ("Update limits", "plugins.tasks.update_limits"),
];

static PATHS: &[&str] = &[
    "/allocations/allocations/",
    "/allocations/clusters/",
    "/allocations/requests/",
    "/research/grants/",
    "/research/publications/",
    "/users/users/",
];

static MESSAGES: &[(&str, &str, &str)] = &[
    ("INFO", "celery.worker", "Task succeeded"),
    ("INFO", "apps.users", "User logged in"),
    ("WARNING", "django.request", "Not Found"),
    ("WARNING", "django.request", "Unauthorized"),
    ("ERROR", "plugins.slurm", "The accounting database did not answer"),
];

impl Generator<'_> {
    /// Moments of the last weeks, in their order.
    fn of_late(&mut self, count: usize) -> Vec<Moment> {
        let mut moments = Vec::with_capacity(count);
        for _ in 0..count {
            let day = self.within(-30, -1);
            moments.push(self.moment(day));
        }
        moments.sort_unstable();
        moments
    }

    pub(super) fn tasks(&mut self) {
        let columns = [
            "task_id",
            "periodic_task_name",
            "task_name",
            "task_args",
            "task_kwargs",
            "status",
            "worker",
            "result",
            "date_created",
            "date_done",
            "traceback",
        ];
        let Some(sheet) = self.sheet(Resource::TaskLog, columns) else { return };
        for moment in self.of_late(self.shape.tasks) {
            let Some(&(title, name)) = self.pick(TASKS) else { continue };
            let status =
                self.word(&["SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", "FAILURE", "RETRY"]);
            let failed = status != "SUCCESS";
            let worker = self.within(1, 4);
            let id = self.task_id();
            let cells = [
                Cell::text(&id),
                Cell::text(title),
                Cell::text(name),
                Cell::text("()"),
                Cell::text("{}"),
                Cell::text(status),
                Cell::text(&format!("celery@worker-{worker}")),
                optional(!failed, || Cell::text("null")),
                Cell::Moment(moment),
                Cell::Moment(moment + self.within(5_000, 9_000_000)),
                optional(failed, || Cell::text("ConnectionError: the service did not answer")),
            ];
            self.add(&sheet, Creation { moment, by: None }, cells);
        }
    }

    fn task_id(&mut self) -> String {
        let mut id = String::with_capacity(36);
        for (length, joint) in [(8, "-"), (4, "-4"), (3, "-a"), (3, "-"), (12, "")] {
            for _ in 0..length {
                // Writing to a text does not fail.
                let _ = write!(id, "{:x}", self.within(0, 15));
            }
            id.push_str(joint);
        }
        self.free(Resource::TaskLog, "task_id", &id, "-")
    }

    pub(super) fn app_log(&mut self) {
        let columns = ["name", "level", "pathname", "lineno", "message", "func", "time"];
        let Some(sheet) = self.sheet(Resource::AppLog, columns) else { return };
        for moment in self.of_late(self.shape.app_log) {
            let Some(&(level, name, message)) = self.pick(MESSAGES) else { continue };
            let path = self.word(PATHS);
            let at_path = name == "django.request";
            let message = if at_path { format!("{message}: {path}") } else { message.to_owned() };
            let cells = [
                Cell::text(name),
                Cell::text(level),
                Cell::text(&format!("/app/{}.py", name.replace('.', "/"))),
                Cell::Integer(self.within(10, 400)),
                Cell::text(&message),
                optional(at_path, || Cell::text("log_response")),
                Cell::Moment(moment),
            ];
            self.add(&sheet, Creation { moment, by: None }, cells);
        }
    }

    pub(super) fn request_log(&mut self, people: &People) {
        let columns =
            ["method", "endpoint", "response_code", "remote_address", "time", "timestamp", "user"];
        let Some(sheet) = self.sheet(Resource::RequestLog, columns) else { return };
        for moment in self.of_late(self.shape.request_log) {
            let person = self.pick(&people.researchers).map(|person| person.id);
            let user = person.filter(|_| self.chance(90));
            let (method, code) = match self.within(0, 9) {
                _ if user.is_none() => ("GET", 401),
                0 => ("POST", 201),
                1 => ("POST", 400),
                2 => ("PATCH", 200),
                3 => ("GET", 404),
                _ => ("GET", 200),
            };
            let path = self.word(PATHS);
            let path = match code {
                404 => format!("{path}{}/", self.within(900_000, 999_999)),
                _ => path.to_owned(),
            };
            let (third, fourth) = (self.within(0, 255), self.within(1, 254));
            let cells = [
                Cell::text(method),
                Cell::text(&path),
                Cell::Integer(code),
                Cell::text(&format!("10.1.{third}.{fourth}")),
                Cell::Moment(moment),
                Cell::Moment(moment),
                user.map_or(Cell::Null, Cell::Integer),
            ];
            self.add(&sheet, Creation { moment, by: None }, cells);
        }
    }
}
