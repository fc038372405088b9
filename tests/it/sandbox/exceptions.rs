//! Recordings that are not replayed like all others, and why.

/// What is done otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    LimitedRate,
    SecureCookies,
    UnknownHost,
    ShortAccess,
    InactiveOwnerOfToken,
    FewServices,
    NoServices,
    PasswordChangedBefore,
    ProtectedUser,
    ExpiredToken,
    BlacklistedToken,
    DeletedOwner,
    StrangeOwner,
    DeactivatedOwner,
    ActiveUsers,
    EarlierGroups,
    TextAsJson,
    NullBody,
}

/// What is done otherwise, why, and for which recordings.
type Row = (Exception, &'static str, &'static [&'static str]);

const TABLE: &[Row] = &[
    (
        Exception::LimitedRate,
        "the server had low limits, and they were used up before",
        &[
            "throttled-user",
            "throttled-user-write",
            "throttled-anonymous",
            "throttled-login",
            "throttled-batch-step",
            "throttled-anonymous-refresh",
            "throttled-user-openapi",
        ],
    ),
    (Exception::SecureCookies, "the server had this setting", &["https-login-secure-cookies"]),
    (Exception::UnknownHost, "the server knew one host", &["unknown-host-server-error"]),
    (
        Exception::ShortAccess,
        "access tokens of the server lived for five seconds",
        &["auth-refresh-after-access-expired"],
    ),
    (Exception::InactiveOwnerOfToken, "no recording shows this user", &["token-inactive-user"]),
    (
        Exception::FewServices,
        "the server had no mail server and no workers",
        &["health-unhealthy", "health-json-unhealthy", "health-prom-unhealthy"],
    ),
    (
        Exception::NoServices,
        "the server had no workers and no Redis",
        &["health-failing", "health-json", "health-prometheus"],
    ),
    (
        Exception::PasswordChangedBefore,
        "the session outlives a change that was recorded with another session",
        &["whoami-after-own-password-change"],
    ),
    (
        Exception::ProtectedUser,
        "no recording shows what protects the user",
        &["users-delete-protected-server-error"],
    ),
    (
        Exception::ExpiredToken,
        "the recorded server was told to hand out expired tokens",
        &["auth-access-expired", "auth-refresh-expired", "auth-blacklist-expired"],
    ),
    (
        Exception::BlacklistedToken,
        "the same token was put on the blacklist before",
        &["auth-refresh-blacklisted", "auth-blacklist-twice"],
    ),
    (
        Exception::DeletedOwner,
        "the user was deleted after the token was handed out",
        &["auth-access-deleted-user", "auth-refresh-deleted-user-succeeds"],
    ),
    (
        Exception::StrangeOwner,
        "the token is of a user who never was: here one who is put there, and deleted",
        &["auth-access-unknown-user"],
    ),
    (
        Exception::DeactivatedOwner,
        "the user was deactivated after the token was handed out",
        &["auth-access-inactive-user", "auth-refresh-inactive-user-succeeds"],
    ),
    (
        Exception::ActiveUsers,
        "who is not there or inactive in the end has to log in first",
        &[
            "auth-access-deleted-user",
            "auth-refresh-deleted-user-succeeds",
            "auth-access-inactive-user",
            "auth-refresh-inactive-user-succeeds",
        ],
    ),
    (
        Exception::EarlierGroups,
        "members of groups were changed without being recorded: others see them as shown next",
        &[
            "requests-list-as-outsider",
            "publications-create-as-outsider-forbidden",
            "research-groups-create-as-outsider-accepted",
            "research-groups-list-as-outsider",
        ],
    ),
    (
        Exception::TextAsJson,
        "the recorded text is the body itself, and no JSON",
        &["auth-new-malformed-json", "clusters-create-malformed-json"],
    ),
    (
        Exception::NullBody,
        "the recordings write no body and a body of `null` in the same way",
        &["clusters-create-null-body"],
    ),
];

impl Exception {
    /// Whether a recording is one of these.
    pub fn holds(self, recording: &str) -> bool {
        TABLE.iter().any(|(exception, _, names)| *exception == self && names.contains(&recording))
    }
}

/// The lines of the documentation about the exceptions.
pub fn report() -> String {
    let line = |(_, reason, names): &Row| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("- {reason}: {}\n", names.join(", "))
    };
    TABLE.iter().map(line).collect()
}

/// The names in the table that are those of no recording.
pub fn unknown<'a>(known: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let names = TABLE.iter().flat_map(|(_, _, names)| names.iter().copied());
    names.filter(|name| !known(name)).collect()
}
