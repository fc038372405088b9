//! Over which libraries and in which colours the calls are made.

use keystone_client::backend::{IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::{ClientBuilder, KeystoneClient, blocking};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::cases::Case;
use crate::hand::{self, Headers};
use crate::peer::{TOKEN, forget_requests, take_requests};
use crate::typed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Reqwest,
    BlockingReqwest,
    Isahc,
    BlockingIsahc,
    Ureq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Hand,
    Typed,
}

/// Does a case so many times.
pub type Perform = Box<dyn FnMut(Case, usize)>;

impl Face {
    pub const ALL: [Self; 5] =
        [Self::Reqwest, Self::BlockingReqwest, Self::Isahc, Self::BlockingIsahc, Self::Ureq];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest",
            Self::BlockingReqwest => "reqwest-blocking",
            Self::Isahc => "isahc",
            Self::BlockingIsahc => "isahc-blocking",
            Self::Ureq => "ureq",
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Reqwest => "reqwest, async",
            Self::BlockingReqwest => "reqwest, blocking",
            Self::Isahc => "isahc, async",
            Self::BlockingIsahc => "isahc, blocking",
            Self::Ureq => "ureq, blocking",
        }
    }

    fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|face| face.id() == id)
    }

    pub fn perform(self, side: Side, url: &str) -> Perform {
        match side {
            Side::Hand => self.by_hand(url),
            Side::Typed => self.typed(url),
        }
    }

    fn by_hand(self, url: &str) -> Perform {
        let headers = headers();
        match self {
            Self::Reqwest => by_hand(hand::reqwest::Async::new(url, &headers)),
            Self::Isahc => by_hand(hand::isahc::Isahc::new(url, &headers)),
            Self::BlockingReqwest => by_hand_blocking(hand::reqwest::Blocking::new(url, &headers)),
            Self::BlockingIsahc => {
                by_hand_blocking(hand::isahc::Blocking(hand::isahc::Isahc::new(url, &headers)))
            }
            Self::Ureq => by_hand_blocking(hand::ureq::Ureq::new(url, headers)),
        }
    }

    fn typed(self, url: &str) -> Perform {
        const THERE: &str = "the transport is there";
        let builder = || KeystoneClient::builder(url);
        let blocking = || blocking::KeystoneClient::builder(url);
        match self {
            Self::Reqwest => typed(|| builder().backend(ReqwestBackend::new().expect(THERE))),
            Self::Isahc => typed(|| builder().backend(IsahcBackend::new().expect(THERE))),
            Self::BlockingReqwest => {
                typed_blocking(|| blocking().backend(blocking::ReqwestBackend::new().expect(THERE)))
            }
            Self::BlockingIsahc => {
                typed_blocking(|| blocking().backend(IsahcBackend::new().expect(THERE)))
            }
            Self::Ureq => typed_blocking(|| blocking().backend(UreqBackend::new().expect(THERE))),
        }
    }
}

impl Side {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Typed => "typed",
        }
    }
}

const CORRELATION_ID: Uuid = Uuid::from_u128(0x6b65_7973_746f_6e65_2d63_6c69_656e_7421);

fn headers() -> Headers {
    Headers {
        authorization: format!("Token {TOKEN}"),
        user_agent: "a-bench/1".to_owned(),
        correlation_id: CORRELATION_ID.to_string(),
    }
}

/// Both sides have one of this kind.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("there is a runtime")
}

fn by_hand<C: hand::Client>(client: C) -> Perform {
    let runtime = runtime();
    Box::new(move |case, times| {
        runtime.block_on(async {
            for _ in 0..times {
                hand::perform(&client, case).await;
            }
        });
    })
}

fn by_hand_blocking<C: hand::BlockingClient + 'static>(client: C) -> Perform {
    Box::new(move |case, times| {
        for _ in 0..times {
            hand::perform_blocking(&client, case);
        }
    })
}

/// Left to itself the client sends no more in batch jobs than servers usually take in a minute.
const WITHOUT_LIMIT: u32 = u32::MAX;

fn typed(builder: impl Fn() -> ClientBuilder<KeystoneClient>) -> Perform {
    let builder = || {
        let builder = builder().api_token(TOKEN).correlation_id(CORRELATION_ID);
        builder.user_agent(headers().user_agent)
    };
    let client = builder().build().expect("the URL is one");
    let without_limit = builder().requests_per_minute(WITHOUT_LIMIT).build();
    let without_limit = without_limit.expect("the URL is one");
    let runtime = runtime();
    Box::new(move |case, times| {
        let client = if case == Case::Batch100 { &without_limit } else { &client };
        runtime.block_on(async {
            for _ in 0..times {
                typed::perform(client, case).await;
            }
        });
    })
}

fn typed_blocking(builder: impl Fn() -> ClientBuilder<blocking::KeystoneClient>) -> Perform {
    let builder = || {
        let builder = builder().api_token(TOKEN).correlation_id(CORRELATION_ID);
        builder.user_agent(headers().user_agent)
    };
    let client = builder().build().expect("the URL is one");
    let without_limit = builder().requests_per_minute(WITHOUT_LIMIT).build();
    let without_limit = without_limit.expect("the URL is one");
    Box::new(move |case, times| {
        let client = if case == Case::Batch100 { &without_limit } else { &client };
        for _ in 0..times {
            typed::perform_blocking(client, case);
        }
    })
}

/// By hand, and ours.
pub fn sides(face: Face, url: &str) -> [Perform; 2] {
    [Side::Hand, Side::Typed].map(|side| face.perform(side, url))
}

/// Fails if the two sides do not send the same, headers included: then they cannot be compared.
pub fn assert_alike(face: Face, url: &str) {
    let mut sides = sides(face, url);
    // The first of all calls may begin with a question about the server.
    sides.iter_mut().for_each(|perform| perform(Case::Batch100, 1));
    for case in Case::ALL {
        let [by_hand, typed] = sides.each_mut().map(|perform| {
            take_requests(url);
            perform(case, 1);
            take_requests(url)
        });
        assert_eq!(by_hand, typed, "{}: {}", face.title(), case.title());
        assert!(!typed.is_empty(), "{}: {}", face.title(), case.title());
    }
    forget_requests(url);
}

/// Does a case so many times, in a process of its own.
pub fn perform(face: &str, side: &str, case: &str, times: &str, url: &str) {
    let face = Face::by_id(face).expect("the face is one");
    let side = [Side::Hand, Side::Typed].into_iter().find(|known| known.id() == side);
    let side = side.expect("the side is one");
    let case = Case::by_id(case).expect("the case is one");
    face.perform(side, url)(case, times.parse().expect("the number is one"));
}
