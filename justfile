# What CI runs, in the same order.
check: fmt clippy doc package quickstart test

# Formatting.
fmt:
    cargo fmt --all -- --check

# Lints, warnings denied, for the feature sets that differ most.
clippy:
    cargo clippy --all-targets -- --deny warnings
    cargo clippy --all-targets --all-features -- --deny warnings
    cargo clippy --all-targets --no-default-features -- --deny warnings

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
