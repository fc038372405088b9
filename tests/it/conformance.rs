//! The contract of `docs/backends.md`, for each adapter in each colour.

use keystone_client::testing::conformance;

#[tokio::test(flavor = "current_thread")]
async fn reqwest_async() {
    use keystone_client::backend::ReqwestBackend;

    conformance::run(ReqwestBackend::with_settings).await.assert_passed();
}

#[test]
fn reqwest_blocking() {
    use keystone_client::blocking::ReqwestBackend;

    conformance::blocking(ReqwestBackend::with_settings).assert_passed();
}

#[test]
fn isahc_async_without_a_runtime() {
    use keystone_client::backend::IsahcBackend;

    pollster::block_on(conformance::run(IsahcBackend::with_settings)).assert_passed();
}

#[test]
fn isahc_blocking() {
    use keystone_client::backend::IsahcBackend;

    conformance::blocking(IsahcBackend::with_settings).assert_passed();
}

#[test]
fn ureq_blocking() {
    use keystone_client::backend::UreqBackend;

    conformance::blocking(UreqBackend::with_settings).assert_passed();
}
