//! The programs that are weighed.

/// A package with one program.
pub struct Program {
    pub name: &'static str,
    /// The section `[dependencies]`, in which `KEYSTONE_CLIENT` is the path of this crate.
    pub dependencies: &'static str,
    /// Its `main.rs`, without the declarations of modules.
    pub main: &'static str,
    /// Names and texts.
    pub modules: &'static [(&'static str, &'static str)],
}

/// How programs are compiled.
#[derive(Clone, Copy)]
pub enum Profile {
    /// What users have who do nothing, without symbols.
    Release,
    /// What cargo offers to those for whom each byte counts.
    Smallest,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Smallest => "smallest",
        }
    }

    /// The section `[profile.release]`.
    pub fn settings(self) -> &'static str {
        match self {
            Self::Release => "strip = true\n",
            Self::Smallest => {
                r#"codegen-units = 1
lto = "fat"
opt-level = "s"
panic = "abort"
strip = true
"#
            }
        }
    }
}

/// A way to build the crate, and what it is held against.
pub struct Build {
    pub name: &'static str,
    pub profile: Profile,
    pub ours: Program,
    pub bare: Program,
}

const ONE: &str = include_str!("programs/one.rs");
const ALL: &str = include_str!("programs/all.rs");
const CANNED: (&str, &str) = ("canned", include_str!("programs/canned.rs"));
const MODEL: (&str, &str) = ("model", include_str!("programs/bare/model.rs"));

/// A program that does nothing, to see what a process is.
pub const PROCESS: Program = Program {
    name: "process",
    dependencies: "",
    main: include_str!("programs/process.rs"),
    modules: &[],
};

const OURS_NONE: Program = Program {
    name: "ours-none",
    dependencies: r#"
http = "1"
keystone-client = { path = KEYSTONE_CLIENT, default-features = false }
"#,
    main: ONE,
    modules: &[CANNED, ("job", include_str!("programs/ours/none.rs"))],
};

const BARE_NONE: Program = Program {
    name: "bare-none",
    dependencies: r#"
http = "1"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"#,
    main: ONE,
    modules: &[CANNED, MODEL, ("job", include_str!("programs/bare/none.rs"))],
};

pub const OURS_UREQ: Program = Program {
    name: "ours-ureq",
    dependencies: r#"
keystone-client = { path = KEYSTONE_CLIENT, default-features = false, features = ["rustls", "ureq"] }
"#,
    main: ONE,
    modules: &[("job", include_str!("programs/ours/ureq.rs"))],
};

pub const BARE_UREQ: Program = Program {
    name: "bare-ureq",
    dependencies: r#"
http = "1"
serde = { version = "1", features = ["derive"] }
serde_json = "1"
ureq = { version = "3", default-features = false, features = ["platform-verifier", "rustls"] }
"#,
    main: ONE,
    modules: &[MODEL, ("job", include_str!("programs/bare/ureq.rs"))],
};

const OURS_REQWEST: Program = Program {
    name: "ours-reqwest",
    dependencies: r#"
keystone-client = { path = KEYSTONE_CLIENT, default-features = false, features = ["reqwest", "rustls"] }
tokio = { version = "1", features = ["net", "rt", "time"] }
"#,
    main: ONE,
    modules: &[("job", include_str!("programs/ours/reqwest.rs"))],
};

const BARE_REQWEST: Program = Program {
    name: "bare-reqwest",
    dependencies: r#"
http = "1"
reqwest = { version = "0.13", default-features = false, features = ["rustls"] }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
tokio = { version = "1", features = ["net", "rt", "time"] }
"#,
    main: ONE,
    modules: &[MODEL, ("job", include_str!("programs/bare/reqwest.rs"))],
};

const OURS_ISAHC: Program = Program {
    name: "ours-isahc",
    dependencies: r#"
keystone-client = { path = KEYSTONE_CLIENT, default-features = false, features = ["isahc", "rustls"] }
"#,
    main: ONE,
    modules: &[("job", include_str!("programs/ours/isahc.rs"))],
};

const BARE_ISAHC: Program = Program {
    name: "bare-isahc",
    dependencies: r#"
http = "1"
isahc = { version = "2", default-features = false, features = ["rustls-tls", "static-curl"] }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
"#,
    main: ONE,
    modules: &[MODEL, ("job", include_str!("programs/bare/isahc.rs"))],
};

const OURS_ALL: Program = Program {
    name: "ours-all",
    dependencies: r#"
keystone-client = { path = KEYSTONE_CLIENT, features = ["full"] }
tokio = { version = "1", features = ["net", "rt", "time"] }
"#,
    main: ALL,
    modules: &[
        ("job_isahc", include_str!("programs/ours/isahc.rs")),
        ("job_reqwest", include_str!("programs/ours/reqwest.rs")),
        ("job_ureq", include_str!("programs/ours/ureq.rs")),
    ],
};

const BARE_ALL: Program = Program {
    name: "bare-all",
    dependencies: r#"
http = "1"
isahc = { version = "2", default-features = false, features = ["http2", "rustls-tls", "static-curl"] }
reqwest = { version = "0.13", default-features = false, features = ["blocking", "http2", "rustls"] }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
tokio = { version = "1", features = ["net", "rt", "time"] }
ureq = { version = "3", default-features = false, features = ["platform-verifier", "rustls"] }
"#,
    main: ALL,
    modules: &[
        MODEL,
        ("job_isahc", include_str!("programs/bare/isahc.rs")),
        ("job_reqwest", include_str!("programs/bare/reqwest.rs")),
        ("job_ureq", include_str!("programs/bare/ureq.rs")),
    ],
};

pub const BUILDS: &[Build] = &[
    Build { name: "no backend", profile: Profile::Release, ours: OURS_NONE, bare: BARE_NONE },
    Build {
        name: "login node (`ureq,rustls`)",
        profile: Profile::Release,
        ours: OURS_UREQ,
        bare: BARE_UREQ,
    },
    Build {
        name: "login node, smallest",
        profile: Profile::Smallest,
        ours: OURS_UREQ,
        bare: BARE_UREQ,
    },
    Build {
        name: "`reqwest,rustls`",
        profile: Profile::Release,
        ours: OURS_REQWEST,
        bare: BARE_REQWEST,
    },
    Build { name: "`isahc,rustls`", profile: Profile::Release, ours: OURS_ISAHC, bare: BARE_ISAHC },
    Build { name: "`full`", profile: Profile::Release, ours: OURS_ALL, bare: BARE_ALL },
];
