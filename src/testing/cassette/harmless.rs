//! What may stand in a cassette as it is: by name and shape, and nothing else.

mod words;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use self::words::{
    CODE_WORDS, LOOKUPS, MEDIA_TYPES, MODELS, PATH_WORDS, REFUSAL_CODES, WORDS, is_in,
};

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

const HAVE_MEDIA_TYPES: &[&str] = &["allowed_file_types", "content_type", "parses", "renders"];

/// The part of the name of a parameter that tells what its value is: the last but for lookups.
pub(super) fn judged_name(name: &str) -> &str {
    let is_lookup = |part: &&str| is_in(LOOKUPS, part);
    let parts: Vec<&str> = name.split("__").collect();
    let Some((first, rest)) = parts.split_first() else { return name };
    rest.iter().rev().find(|part| !is_lookup(part)).unwrap_or(first)
}

/// Whether `value` may be kept in a field or parameter of this name, whatever server it is.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    let base = judged_name(name);
    if value.is_empty() || is_literal(value) || is_moment(value) || is_reference(value) {
        return true;
    }
    if is_number(value) {
        // A lookup of a part of a date has a number, whatever the field is.
        let lookup = name.rsplit_once("__").map_or("", |(_, lookup)| lookup);
        let is_part = is_part_of_date(lookup) && value.len() <= 4;
        let has_numbers = NUMBERS.contains(&base) || CODES.contains(&base) || is_paging(base);
        return is_part || (has_numbers && value.len() <= LONGEST_NUMBER);
    }
    match base {
        "_order" => value.chars().all(|letter| is_word(letter) || "-,".contains(letter)),
        // A letter may tell kinds of records apart.
        "id" => {
            value.strip_prefix(|letter: char| letter.is_ascii_lowercase()).is_some_and(|rest| {
                rest.len() <= LONGEST_NUMBER && rest.chars().all(|letter| letter.is_ascii_digit())
            })
        }
        "role" | "role_code" => is_short_code(value),
        "record_name" => value
            .split_once(" | ")
            .is_some_and(|(app, model)| is_in(MODELS, app) && is_in(MODELS, model)),
        "version" => is_version(value),
        "ref" => is_code(value),
        _ if CODES.contains(&base) => is_short_code(value) || is_in(CODE_WORDS, value),
        _ if AMOUNTS.contains(&base) => is_amount(value),
        _ if HAVE_MEDIA_TYPES.contains(&base) => is_media_type(value),
        _ => false,
    }
}

/// Longer ones may be of telephones or cards.
const LONGEST_NUMBER: usize = 9;

/// One word, as programs write them.
fn is_code(value: &str) -> bool {
    value.len() <= 24 && value.chars().all(is_word)
}

fn is_short_code(value: &str) -> bool {
    value.len() == 2 && value.chars().all(|letter| letter.is_ascii_uppercase())
}

/// The code of a refusal.
pub(super) fn is_refusal_code(value: &str) -> bool {
    is_in(REFUSAL_CODES, value)
}

/// A decimal, or a duration such as `12 03:00:00`.
fn is_amount(value: &str) -> bool {
    let is_duration = value.contains(':')
        && value.chars().all(|letter| letter.is_ascii_digit() || "-. :".contains(letter));
    value.len() <= 24 && (is_duration || is_number(&value.replacen('.', "", 1)))
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

pub(super) fn is_media_type(value: &str) -> bool {
    is_in(MEDIA_TYPES, value)
}

fn is_paging(name: &str) -> bool {
    matches!(name, "_limit" | "_offset")
}

/// Whether the name is one whose meaning is known.
pub(super) fn is_known_field(name: &str) -> bool {
    [NUMBERS, CODES, AMOUNTS, HAVE_MEDIA_TYPES].iter().any(|names| names.contains(&name))
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
        || value
            .strip_suffix(".None")
            .is_some_and(|name| name.split('.').all(|part| is_in(MODELS, part)))
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
    is_date
        && value.len() <= 34
        && value.chars().all(|it| it.is_ascii_digit() || "T Z:.+-".contains(it))
        && match value.len() {
            10 => value.parse::<Date>().is_ok(),
            _ => value.parse::<Timestamp>().is_ok() || value.parse::<DateTime>().is_ok(),
        }
}

/// A reference to a step or a file of a batch job.
pub(super) fn is_reference(value: &str) -> bool {
    let inside = value.strip_prefix("@ref{").or_else(|| value.strip_prefix("@file{"));
    inside
        .and_then(|inside| inside.strip_suffix('}'))
        .is_some_and(|inside| inside.chars().all(|letter| is_word(letter) || letter == '.'))
}

/// Such as `0.10.9`, `1.2` and `1.0.0rc1`.
pub(super) fn is_version(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let Some((last, rest)) = parts.split_last() else { return false };
    let is_short = |digits: &str| {
        (1..=3).contains(&digits.len()) && digits.chars().all(|letter| letter.is_ascii_digit())
    };
    let digits = last.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(last.len());
    let (last, stage) = last.split_at(digits);
    let stage =
        stage.trim_start_matches('-').trim_end_matches(|letter: char| letter.is_ascii_digit());
    (1..=2).contains(&rest.len())
        && rest.iter().all(|part| is_short(part))
        && is_short(last)
        && matches!(stage, "" | "a" | "b" | "rc" | "alpha" | "beta" | "dev")
        && value.len() <= 16
}

/// Whether a member of this name may be kept.
pub(super) fn is_harmless_key(name: &str) -> bool {
    name.chars().all(is_word)
}

/// Whether a segment of a path may be kept.
pub(super) fn is_harmless_segment(segment: &str) -> bool {
    segment.len() <= 1
        || is_reference(segment)
        || is_in(PATH_WORDS, segment)
        || (segment.len() <= LONGEST_NUMBER && is_number(segment))
}

/// Longer ones in messages may be of telephones, or codes to log in with.
const LONGEST_TOLD: usize = 4;

/// A message with which a server refuses a request, without what it quotes of it.
pub(super) fn message(
    text: &str,
    redacted: &str,
    is_secret: &dyn Fn(&str) -> bool,
    path: &mut dyn FnMut(&str) -> String,
) -> String {
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let core_at = |index: usize| words.get(index).map_or("", |word| core_of(word));
    let mut shown = String::new();
    for (index, word) in words.iter().enumerate() {
        let core = core_of(word);
        let is_known = core.is_empty()
            || matches!(core, "-" | "@/./+/-/_" | "X-Csrftoken")
            || core.trim_end_matches('}').is_empty()
            || is_in(WORDS, core)
            || is_media_type(core)
            || is_quoted_reference(word)
            || (is_decimal(core) && {
                let (before, after) = (core_at(index.wrapping_sub(1)), core_at(index + 1));
                let is_of_several = is_decimal(before) || is_decimal(after);
                let longest = match before == "pk" || after == "seconds" {
                    true => LONGEST_NUMBER,
                    false => LONGEST_TOLD,
                };
                !is_of_several && core.len() <= longest
            });
        if is_known && !is_secret(core) {
            shown.push_str(word);
            continue;
        }
        let instead = match core.starts_with('/') && !is_secret(core) {
            true => path(core),
            false => redacted.to_owned(),
        };
        shown.push_str(&word.replacen(core, &instead, 1));
    }
    shown
}

fn core_of(word: &str) -> &str {
    word.trim_matches(|letter: char| letter.is_whitespace() || "\"'`()[],.:;!?#".contains(letter))
}

fn is_decimal(word: &str) -> bool {
    is_number(&word.replacen('.', "", 1))
}

/// Whether a message is a sentence of a server with nothing in it that may be data.
pub(super) fn is_plain_sentence(text: &str) -> bool {
    text.ends_with('.')
        && text.split_whitespace().count() >= 4
        && text.split_whitespace().all(|word| is_in(WORDS, core_of(word)))
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
        message(text, "…", &|word| word.contains("hunter2"), &mut |path| path.to_owned())
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
        assert_eq!(shown("phone 4155551234 exists"), "… … exists");
        assert_eq!(shown("number 4155 5512 34 exists"), "number … … … exists");
        assert_eq!(shown("text/ada.lovelace is not valid"), "… is not valid");
        assert_eq!(shown("hunter2 is not valid"), "… is not valid");
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
            ("version", "1.0rc1"),
            ("submitted", "2025-12-01 09:30:00+00:00"),
            ("anything", "users.Membership.None"),
            ("record_name", "users | Team"),
            ("user__id", "7"),
            ("user__id__in", "7"),
            ("review_average", "12 03:00:00"),
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
            ("user__phone", "4155551234"),
            ("user", "4155551234"),
            ("team__name", "123"),
            ("status", "hunter2"),
            ("level", "adalovelace"),
            ("id", "ada1815"),
            ("record_name", "Ada | Lovelace"),
            ("card", "4111-11-11 1111 1111"),
            ("card", "4111-11-41"),
            ("note", "Ada.Lovelace.None"),
            ("version", "10.1.2.3"),
            ("version", "1.eyJhbGciOi"),
            ("version", "1.2hunter2"),
            ("content_type", "text/ada.lovelace"),
            ("amount", "4111 1111 1111 1111"),
        ] {
            assert!(!is_harmless(name, value), "{name}={value}");
        }
    }

    #[test]
    fn segments_are_kept_if_they_are_words_of_the_api() {
        for kept in ["", "users", "membership-choices", "12", "@ref{team.id}"] {
            assert!(is_harmless_segment(kept), "{kept}");
        }
        for other in ["adalovelace", "mq3x-hunter2", "4155551234", "@ref{a b}", "Users"] {
            assert!(!is_harmless_segment(other), "{other}");
        }
    }
}
