//! Clauses about the path and the query.

use super::check::{Context, Finding, checks, ensure, expect_error, expect_status, get};
use super::server::ok;
use crate::backend::BackendErrorKind;

checks! {
    targets: "9. Path and query are sent byte for byte, but for the case of hexadecimal digits",
    unusual_targets: "10. A target that the library would rewrite is sent as it is, or refused",
}

async fn targets(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    let targets = [
        "/",
        "/?",
        "/allocations/requests/",
        "/allocations/requests/?_limit=10&_order=-id",
        "/a%2Fb/%2e%2Ef/c%20d",
        "/a%2Bb+c?q=a%2Bb+c%20d",
        "/lower%c3%bc?lower=%c3%bc&upper=%C3%BC",
        "/-._~!$&'()*+,;=:@",
        "/?q=-._~!$&()*+,;=:@/?",
        "/?a=1&a=2&b&=c&&",
        "/?quote=%27%22&percent=%25&hash=%23&nul=%00",
        "//double//slashes/",
        "/with.dots/..three/...",
    ];
    for target in targets {
        expect_status(backend.call(get(&server.url(target))?).await, 200, target)?;
        let seen = server.requests().pop().map(|request| request.target).unwrap_or_default();
        ensure(same_octets(&seen, target), target, || seen.clone())?;
    }
    // Without a path, the target is a slash.
    let bare = format!("http://{}", server.address());
    expect_status(backend.call(get(&bare)?).await, 200, "a URL without a path")?;
    let seen = server.requests().pop().map(|request| request.target).unwrap_or_default();
    ensure(seen == "/", "/", || seen.clone())
}

async fn unusual_targets(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    let targets = [
        "/a/../b",
        "/a/./b",
        "/a/..",
        "/.",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/?q='quoted'",
        "/a|b",
        "/{a}?{b}",
        "/a\\b",
        "/a^b`c",
        "/100%",
    ];
    for target in targets {
        // Which of these a URL may hold at all is up to the crate `http`.
        let Ok(sent) = get(&server.url(target)) else {
            continue;
        };
        let before = server.requests().len();
        let result = backend.call(sent).await;
        let received = server.requests();
        if result.is_err() {
            expect_error(result, &[BackendErrorKind::Request], Some(false), target)?;
            let sent = received.len() - before;
            ensure(sent == 0, format!("nothing sent for {target}"), || sent.to_string())?;
            continue;
        }
        let seen = received.last().map(|request| request.target.clone()).unwrap_or_default();
        ensure(same_octets(&seen, target), target, || seen.clone())?;
    }
    Ok(())
}

/// `%c3` and `%C3` mean the same to every server (RFC 3986, section 2.1).
fn same_octets(left: &str, right: &str) -> bool {
    let upper = |target: &str| {
        let mut digits = 0;
        let octets = target.chars().map(|octet| {
            let octet = if digits > 0 { octet.to_ascii_uppercase() } else { octet };
            digits = if octet == '%' { 2_u8 } else { digits.saturating_sub(1) };
            octet
        });
        octets.collect::<String>()
    };
    upper(left) == upper(right)
}
