//! What may stand in a cassette as it is: by name and shape, and nothing else.

/// Fields whose values are numbers or keys, also where they are written as text.
const NUMBERS: &[&str] = &[
    "access_teams",
    "active",
    "actor",
    "admins",
    "allocations",
    "assignees",
    "awarded",
    "cluster",
    "created",
    "date",
    "date_joined",
    "end_date",
    "expire",
    "final",
    "fiscal_year",
    "grants",
    "group",
    "groups",
    "id",
    "last_login",
    "lineno",
    "members",
    "object_id",
    "pi",
    "pk",
    "publications",
    "published",
    "record_id",
    "remote_port",
    "request",
    "requested",
    "response_code",
    "reviewer",
    "start_date",
    "submitted",
    "submitter",
    "team",
    "time",
    "timestamp",
    "uploaded",
    "user",
    "user_permissions",
    "users",
];

/// Fields with one of a few codes or words of the server.
const CODES: &[&str] = &[
    "access_mode",
    "action",
    "check",
    "content_encoding",
    "dry_run",
    "level",
    "method",
    "notification_type",
    "record_type",
    "ref",
    "status",
    "token_type",
];

/// Fields with amounts of money, counts or times.
const AMOUNTS: &[&str] = &[
    "amount",
    "funding_active",
    "funding_average",
    "funding_expired",
    "funding_total",
    "funding_upcoming",
    "review_average",
];

const MEDIA_TYPES: &[&str] = &["allowed_file_types", "content_type", "parses", "renders"];

/// Whether `value` may be kept in a field or parameter of this name, whatever server it is.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    let base = name.split("__").next().unwrap_or(name);
    if value.is_empty() || is_literal(value) || is_moment(value) || is_reference(value) {
        return true;
    }
    if is_number(value) {
        // A lookup of a part of a date has a number, whatever the field is.
        let is_part = name.rsplit("__").next().is_some_and(is_part_of_date) && base != name;
        return is_part || NUMBERS.contains(&base) || CODES.contains(&base) || is_paging(base);
    }
    match base {
        "_order" => value.chars().all(|letter| is_word(letter) || "-,".contains(letter)),
        "id" => {
            value.len() <= 20 && is_number(value.trim_start_matches(|l: char| l.is_lowercase()))
        }
        "role" | "role_code" => value.len() == 2 && value.chars().all(|l| l.is_ascii_uppercase()),
        "record_name" => {
            value.chars().all(|letter| letter.is_ascii_alphabetic() || " |_".contains(letter))
        }
        "version" => is_version(value),
        _ if CODES.contains(&base) => is_code(value),
        _ if AMOUNTS.contains(&base) => {
            value.chars().all(|letter| letter.is_ascii_digit() || "-. :".contains(letter))
        }
        _ if MEDIA_TYPES.contains(&base) => is_media_type(value),
        _ => false,
    }
}

/// One word, as programs write them.
pub(super) fn is_code(value: &str) -> bool {
    value.len() <= 24 && value.chars().all(is_word)
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_media_type(value: &str) -> bool {
    const KINDS: &[&str] = &["application", "audio", "image", "multipart", "text", "video"];
    value.split_once('/').is_some_and(|(kind, rest)| {
        KINDS.contains(&kind) && rest.chars().all(|it| is_word(it) || "+-.".contains(it))
    })
}

fn is_paging(name: &str) -> bool {
    matches!(name, "_limit" | "_offset")
}

fn is_part_of_date(lookup: &str) -> bool {
    matches!(
        lookup,
        "year" | "month" | "day" | "week" | "week_day" | "quarter" | "hour" | "minute" | "second"
    )
}

fn is_literal(value: &str) -> bool {
    // The last is how histories write a relation that is empty: `users.Membership.None`.
    matches!(value, "true" | "false" | "null" | "True" | "False" | "None")
        || value.strip_suffix(".None").is_some_and(|name| {
            name.chars().all(|letter| letter.is_ascii_alphabetic() || letter == '.')
        })
}

pub(super) fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.chars().all(|letter| letter.is_ascii_digit())
}

/// A date, with or without a time of day.
fn is_moment(value: &str) -> bool {
    let is_date = value.get(..10).is_some_and(|date| {
        date.char_indices().all(|(at, letter)| match at {
            4 | 7 => letter == '-',
            _ => letter.is_ascii_digit(),
        })
    });
    let rest = value.get(10..).unwrap_or_default();
    is_date
        && rest.len() <= 24
        && rest.chars().all(|it| it.is_ascii_digit() || "T Z:.+-".contains(it))
}

/// A reference to a step or a file of a batch job.
pub(super) fn is_reference(value: &str) -> bool {
    let inside = value.strip_prefix("@ref{").or_else(|| value.strip_prefix("@file{"));
    inside
        .and_then(|inside| inside.strip_suffix('}'))
        .is_some_and(|inside| inside.chars().all(|letter| is_word(letter) || letter == '.'))
}

pub(super) fn is_version(value: &str) -> bool {
    value.len() <= 32
        && value.contains('.')
        && value.starts_with(|letter: char| letter.is_ascii_digit())
        && value.chars().all(|letter| is_word(letter) || ".+-".contains(letter))
}

/// Whether a member of this name may be kept.
pub(super) fn is_harmless_key(name: &str) -> bool {
    name.chars().all(is_word)
}

/// Whether a segment of a path may be kept.
pub(super) fn is_harmless_segment(segment: &str) -> bool {
    is_reference(segment)
        || segment.chars().all(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter)
        })
}

/// Words of the messages with which servers refuse requests. A message may be made of these.
const WORDS: &str = "\
    A a Accept access AccessToken account Action action Active active address Admin again Alias \
    aliases all Allocation AllocationRequest AllocationRequestReview AllocationReview allowed \
    alphanumeric already also an and any AppLog are as at Attachment attempts AuditLog \
    Authentication Authorization available be been before between blacklisted blank bool \
    boolean both boundary but by can Cannot cannot char character characters Check check \
    checking choice choices Cluster cluster column Comment comments common contain contained \
    contains content cookie correct Could could create credentials CSRF data Date date \
    date/time decimal defined DELETE delete deleted delimiter description dict dictionaries \
    dictionary did different digits Directory do does doi double duplicate each email empty \
    enclosed encoding end Ensure Enter entirely equal error exceed except exist exists Expected \
    expected Expecting expired Failed failed False field fields File file files float for form \
    format formats found from GET Given given got Grant grant greater group has have HEAD \
    header host HTTP id identification in inactive Incorrect incorrect index insecure instead \
    int integer into Invalid invalid is It item items its job JSON Key label labels later least \
    length less letters limit line list logged long longer make malformed many map marked match \
    matched matches may MB media Member member Membership membership memberships message Method \
    method missing more Multipart multipart Must must name never new No no non-staff None \
    NoneType Not not Notification Null null number numbers numeric object of on One one Only \
    only OPTIONS or order Origin origin origins out Owner page parse part password PATCH path \
    perform permission pk place places Please please point positive POST Preference preference \
    preferences previous private property provided Publication publication PUT query quotes \
    range read received recognizable record records Reference reference references Referer \
    Request request requested required research ResearchGroup resolve resolved resource \
    ResourceAllocation response Reviewer route satisfy seconds secure Select select served \
    Server server set short should similar size slug space-delimited spaces staff start status \
    Step step still str String string Submitted submitted submitter Successfully such \
    TaskResult Team team teams text than That that The the there these This this those \
    throttled time to Token token too total traverse True trusted Try try two type types \
    underscores unicode unique unknown unless Unsupported unsupported uploaded uploading url \
    Use User user Username username users valid value Values values view Wait wait was were \
    when which while will with within without would write written wrong year You YYYY-MM-DD \
    zero";

/// A message with which a server refuses a request, without what it quotes of it.
pub(super) fn message(text: &str, redacted: &str, path: &mut dyn FnMut(&str) -> String) -> String {
    let words = text.split_inclusive(char::is_whitespace).map(|word| {
        let core = word.trim_matches(|letter: char| {
            letter.is_whitespace() || "\"'`()[],.:;!?#".contains(letter)
        });
        let is_known = core.is_empty()
            || core == "-"
            || is_number(core)
            || core.parse::<f64>().is_ok()
            || core.trim_end_matches('}').is_empty()
            || WORDS.split_whitespace().any(|known| known == core)
            || core == "@/./+/-/_"
            || core == "X-Csrftoken"
            || is_media_type(core);
        if is_known || is_quoted_reference(word) {
            return word.to_owned();
        }
        let shown = match core.starts_with('/') {
            true => path(core),
            false => redacted.to_owned(),
        };
        word.replacen(core, &shown, 1)
    });
    words.collect()
}

fn is_quoted_reference(word: &str) -> bool {
    is_reference(
        word.trim_matches(|letter: char| letter.is_whitespace() || "\":,.".contains(letter)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        message(text, "…", &mut |path| path.to_owned())
    }

    #[test]
    fn messages_of_servers_are_kept() {
        for text in [
            "This field is required.",
            "Authentication credentials were not provided.",
            "Method \"GET\" not allowed.",
            "Invalid pk \"99999\" - object does not exist.",
            "CSRF Failed: CSRF token missing.",
            "Request was throttled. Expected available in 86400 seconds.",
            "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
            "Step #2 (POST /users/teams/) failed with status 400",
            "Cannot resolve reference \"@ref{t.nope}\": Key",
            "No AllocationRequest matches the given query.",
            "team with this name already exists.",
            "File size should not exceed 2.50 MB.",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_they_quote_is_not() {
        assert_eq!(shown("\"Lovelace\" is not a valid choice."), "\"…\" is not a valid choice.");
        assert_eq!(shown("user ada@example.edu already exists"), "user … already exists");
        assert_eq!(shown("Ada Lovelace"), "… …");
    }

    #[test]
    fn values_are_kept_by_name_and_shape() {
        for (name, value) in [
            ("status", "AP"),
            ("role", "OW"),
            ("submitted", "2025-12-01T09:30:00.250000Z"),
            ("anything", "2025-12-01"),
            ("is_active", "True"),
            ("team", "12"),
            ("team__in", "12"),
            ("expire__year", "2026"),
            ("last_name__isnull", "true"),
            ("_order", "-id,name"),
            ("_limit", "50"),
            ("amount", "250000.00"),
            ("id", "r12"),
            ("payload", "@ref{step1.id}"),
            ("content_type", "application/vnd.oasis.opendocument.text"),
            ("version", "0.10.9"),
        ] {
            assert!(is_harmless(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("username", "12345"),
            ("username", "ada"),
            ("role", "Faculty"),
            ("status", "Ada Lovelace"),
            ("title", "Folding"),
            ("_search", "ada"),
            ("pi", "Ada"),
            ("amount", "ada"),
            ("phone", "555"),
            ("team__name", "Folding"),
            ("name", "@ref{a b}"),
        ] {
            assert!(!is_harmless(name, value), "{name}={value}");
        }
    }
}
