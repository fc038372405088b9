# Tools that the recipes need are installed here by `.ci/tools`, each when it is first needed.
export KEYSTONE_TOOLS := env("KEYSTONE_TOOLS", home_directory() / ".cache/keystone-client-tools")
export PATH := if os_family() == "windows" { env("PATH") } else { KEYSTONE_TOOLS / "bin:" + env("PATH") }

_tools +names:
    @.ci/tools {{names}}

# What needs neither GitHub nor another toolchain; `.ci/run` runs the same.
check: fmt spelling scripts dependencies licences clippy features-each doc public-api external-types minimal-versions package quickstart test-small dearer test-full

# Formatting.
fmt:
    cargo fmt --all -- --check

# Spelling; British in the documents. _typos.toml has what is right all the same.
spelling: (_tools "typos")
    typos --format brief

# The scripts of CI.
scripts: (_tools "shellcheck")
    shellcheck .ci/*

# What the small builds bring, and of how many crates they are.
dependencies:
    .ci/dependencies

# Licences, bans and sources of all dependencies.
licences: (_tools "cargo-deny")
    cargo deny --locked check --hide-inclusion-graph licenses bans sources

# The same and advisories, whose database comes from GitHub.
deny: (_tools "cargo-deny")
    cargo deny --locked check --hide-inclusion-graph

# Lints, warnings denied, for the feature sets that differ most.
clippy:
    cargo clippy --all-targets --all-features -- --deny warnings
    cargo clippy --all-targets -- --deny warnings
    cargo clippy --all-targets --no-default-features -- --deny warnings

# The same for the library with each feature alone.
features-each: (_tools "cargo-hack")
    cargo hack clippy --lib --each-feature --exclude-features default,full -- --deny warnings

# The same for all pairs of features; `part` is one of several parts, such as `2/3`.
features part="1/1": (_tools "cargo-hack")
    cargo hack clippy --lib --feature-powerset --depth 2 --exclude-features default,full --partition {{part}} -- --deny warnings

# The documentation, warnings denied.
doc:
    RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps --all-features

# Whether the public interface is the one in tests/public-api.txt.
public-api: (_tools "cargo-public-api")
    .ci/public-api

# Writes the public interface into tests/public-api.txt.
public-api-write: (_tools "cargo-public-api")
    .ci/public-api write

# Whether the types of other crates in the public interface are those that docs/versioning.md allows.
external-types:
    .ci/external-types

# What broke since the last tag, or since `base`.
semver base="":
    .ci/semver {{base}}

# The oldest Rust that is supported; needs the toolchain, `rustup toolchain install 1.85`.
msrv:
    RUSTFLAGS="--deny warnings" cargo +1.85 check --locked --lib --no-default-features
    RUSTFLAGS="--deny warnings" cargo +1.85 check --locked --lib
    RUSTFLAGS="--deny warnings" cargo +1.85 check --locked --all-targets --features full

# The oldest versions of the dependencies that Cargo.toml allows.
minimal-versions:
    .ci/minimal-versions

# The package, built by itself.
package:
    cargo package

# The quickstart over every backend in both colours.
quickstart:
    for arguments in "" "--backend isahc" "--blocking" "--blocking --backend isahc" "--blocking --backend ureq"; do \
        cargo run --quiet --features full --example quickstart -- $arguments || exit 1; \
    done

# All tests, doc tests included.
test: test-small test-full

# Tests without features, and with those by default.
test-small:
    cargo test --no-default-features
    cargo test

# Tests with all features.
test-full:
    cargo test --features full

# Whether calls have become clearly dearer; needs valgrind.
dearer:
    cargo bench --features full --bench calls -- check

# On one processor, as on several it is left to chance whether the two sides of a call share one.
# Times of calls beside the same calls written by hand; docs/performance.md has the tables.
bench:
    taskset --cpu-list 0 cargo bench --features full --bench calls

# The same in instructions and in allocations; the former needs valgrind.
counts:
    cargo bench --features full --bench calls -- instructions
    cargo bench --features full --bench calls -- allocations

# Thousands of calls of many callers against a server that fails; prints what they came to.
soak calls="20000":
    KEYSTONE_SOAK_CALLS={{calls}} cargo test --release --features full --test it -- soak --ignored --nocapture

# Each fuzz target for so many seconds; needs a nightly toolchain and cargo-fuzz.
fuzz seconds="600":
    for target in $(cargo +nightly fuzz list); do \
        cargo +nightly fuzz run "$target" -- -max_total_time={{seconds}} -rss_limit_mb=2048 || exit 1; \
    done

# Crates, clean builds, sizes and start-up beside the HTTP libraries alone; takes half an hour of a quiet machine.
weight:
    cargo bench --bench weight --features sandbox-tls
