# What CI runs, in the same order.
check: fmt dependencies clippy doc package quickstart dearer test

# Formatting.
fmt:
    cargo fmt --all -- --check

# Times of calls beside the same calls written by hand; docs/performance.md has the tables. On one
# processor, as on several it is left to chance whether the two sides of a call share one.
bench:
    taskset --cpu-list 0 cargo bench --features full --bench calls

# The same in instructions and in allocations; the former needs valgrind.
counts:
    cargo bench --features full --bench calls -- instructions
    cargo bench --features full --bench calls -- allocations

# Whether calls have become clearly dearer; needs valgrind.
dearer:
    cargo bench --features full --bench calls -- check

# What the small builds bring, and of how many crates they are.
dependencies:
    .ci/dependencies

# Lints, warnings denied, for the feature sets that differ most.
clippy:
    cargo clippy --all-targets -- --deny warnings
    cargo clippy --all-targets --all-features -- --deny warnings
    cargo clippy --all-targets --no-default-features -- --deny warnings
    for feature in sandbox sandbox-server testing; do \
        cargo clippy --lib --no-default-features --features $feature -- --deny warnings || exit 1; \
    done

# All tests, doc tests included.
test:
    cargo test --no-default-features
    cargo test
    cargo test --features full

# The documentation, warnings denied.
doc:
    RUSTDOCFLAGS="--deny warnings" cargo doc --no-deps --all-features

# The package, built by itself.
package:
    cargo package

# The quickstart over every backend in both colours.
quickstart:
    for arguments in "" "--backend isahc" "--blocking" "--blocking --backend isahc" "--blocking --backend ureq"; do \
        cargo run --quiet --features full --example quickstart -- $arguments || exit 1; \
    done

# Licences, advisories and bans; needs cargo-deny.
deny:
    cargo deny check

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
