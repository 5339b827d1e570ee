use super::*;
use proptest::prelude::*;

fn offer(version: u32, actions: u32, protocol: u32) -> Vec<u8> {
    [version, actions, protocol].iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// A filter without `xxfi_negotiate`: the numbers of the answer, or what went wrong.
fn plain(filter: FilterTraits, mta: (u32, u32, u32)) -> Result<(u32, u32, u32), NegotiateError> {
    let offer = Offer::parse(&offer(mta.0, mta.1, mta.2), filter)?;
    agree(&offer, filter, None).map(|a| (a.version, a.actions, a.answered))
}

/// A filter whose `xxfi_negotiate` returns `result` after `change`.
fn called(
    filter: FilterTraits,
    mta: (u32, u32, u32),
    result: i32,
    change: impl Fn(&mut Request),
) -> Result<Agreement, NegotiateError> {
    let offer = Offer::parse(&offer(mta.0, mta.1, mta.2), filter)?;
    let mut request = offer.defaults(filter);
    change(&mut request);
    agree(&offer, filter, Some((result, request)))
}

const FULL: FilterTraits = FilterTraits { actions: 0x1ff, absent: 0, mds: false };
const CONNECT_EOM: FilterTraits = FilterTraits { actions: 1, absent: 0x37e, mds: false };
const ENVFROM_EOM: FilterTraits = FilterTraits { actions: 0, absent: 0x77a & !0x400, mds: false };

#[test]
fn answers_seen_from_the_reference() {
    assert_eq!(plain(FULL, (6, 0x1ff, 0x1f_ffff)), Ok((6, 0x1ff, 0)));
    assert_eq!(plain(CONNECT_EOM, (2, 0x0f, 0x7f)), Ok((2, 1, 0x7e)));
    for protocol in [0, 0x3f] {
        assert_eq!(
            plain(CONNECT_EOM, (2, 0x0f, protocol)),
            Err(NegotiateError::Protocol(0x3f, 0x7e)),
            "a filter without xxfi_eoh needs NOEOH, which version 1 lacks"
        );
    }
    let all = |mta| called(ENVFROM_EOM, mta, status::ALL_OPTS, |_| ()).unwrap();
    assert_eq!(all((6, 0x1ff, 0x1f_ffff)).answered, 0x77a);
    let old = all((2, 0x3f, 0x7f));
    assert_eq!((old.version, old.actions, old.answered), (2, 0x3f, 0x7a));
}

#[test]
fn versions() {
    for (offered, answered) in [(2, 2), (6, 6), (7, 6), (100, 6), (0x7fff_ffff, 6)] {
        assert_eq!(plain(FULL, (offered, 0x1ff, 0x1f_ffff)), Ok((answered, 0x1ff, 0)));
    }
    for old in [0, 1, 0x8000_0000] {
        assert_eq!(plain(FULL, (old, 0x1ff, 0)), Err(NegotiateError::Version(old)));
    }
}

#[test]
fn zero_offers_mean_version_1() {
    let offer = Offer::parse(&offer(2, 0, 0), FULL).unwrap();
    assert_eq!((offer.actions, offer.protocol), (0x0f, 0x3f));
    assert_eq!(plain(FULL, (2, 0, 0x7f)), Err(NegotiateError::Actions(0x0f, 0x1ff)));
}

#[test]
fn missing_no_reply_flags_are_faked() {
    let got = called(FULL, (2, 0x3f, 0x7f), 0, |r| r.protocol = 0xf_f080).unwrap();
    assert_eq!((got.answered, got.protocol, got.faked), (0, 0xf_f080, 0xf_f080));
    let got = called(FULL, (2, 0x3f, 0xff), 0, |r| r.protocol = 0xf_f080).unwrap();
    assert_eq!((got.answered, got.protocol, got.faked), (0x80, 0xf_f080, 0xf_f000));
    let got = called(FULL, (6, 0x1ff, 0x1f_ffff), 0, |r| r.protocol = 0x1f_ffff).unwrap();
    assert_eq!((got.answered, got.faked), (0x1f_ffff, 0));
}

#[test]
fn other_missing_flags_end_the_session() {
    for flag in [step::SKIP, step::RCPT_REJ, step::HDR_LEADSPC] {
        let got = called(FULL, (2, 0x3f, 0x7f), 0, |r| r.protocol = flag);
        assert_eq!(got, Err(NegotiateError::Protocol(0x7f, flag)));
    }
    let got = called(FULL, (6, 0x1ff, 0x7fff_ffff), 0, |r| r.protocol = 0x1000_0000);
    assert!(matches!(got, Err(NegotiateError::Protocol(0x0fff_ffff, 0x1000_0000))));
    let got = called(FULL, (6, 0x1ff, 0x1f_ffff), 0, |r| r.actions = 1 << 30);
    assert!(matches!(got, Err(NegotiateError::Actions(..))));
    let got = called(FULL, (6, 0x1ff, 0x1f_ffff), status::REJECT, |_| ());
    assert!(matches!(got, Err(NegotiateError::Callback(1, _))));
}

#[test]
fn data_sizes_are_for_filters_that_know_them() {
    let mds = FilterTraits { mds: true, ..FULL };
    let parse = |protocol, filter| Offer::parse(&offer(6, 0x1ff, protocol), filter).unwrap();
    assert_eq!(parse(0x301f_ffff, mds).max_data_size(), Some(MDS_1M_SIZE));
    assert_eq!(parse(0x101f_ffff, mds).max_data_size(), Some(MDS_256K_SIZE));
    assert_eq!(parse(0x301f_ffff, FULL).max_data_size(), None);
    assert_eq!(parse(0x301f_ffff, FULL).protocol, 0x1f_ffff);
    let got = agree(&parse(0x301f_ffff, mds), mds, None).unwrap();
    assert_eq!(got.answered, step::MDS_1M);
    assert_eq!(parse(0x3000_0000, FULL).protocol, 0, "not taken for an offer of 0");
}

#[test]
fn wanted_macros_follow_if_the_mta_takes_them() {
    let got = called(ENVFROM_EOM, (6, 0x1ff, 0x1f_ffff), status::ALL_OPTS, |_| ()).unwrap();
    let lists = [(0, &b"j"[..]), (6, b"")];
    assert_eq!(
        got.encode(lists.into_iter()).unwrap(),
        b"\0\0\0\x06\0\0\x01\xff\0\0\x07\x7a\0\0\0\0j\0\0\0\0\x06\0"
    );
    let old = called(ENVFROM_EOM, (6, 0xff, 0x1f_ffff), status::ALL_OPTS, |_| ()).unwrap();
    assert_eq!(old.encode(lists.into_iter()).unwrap().len(), OFFER_SIZE);
}

proptest! {
    #[test]
    fn an_agreement_stays_within_the_offer(
        mta in any::<(u32, u32, u32)>(), wanted in any::<(u32, u32)>(), absent in 0u32..0x400,
        result in 0i32..12, mds: bool,
    ) {
        let filter = FilterTraits { actions: 0, absent, mds };
        let Ok(offer) = Offer::parse(&offer(mta.0, mta.1, mta.2), filter) else { return Ok(()) };
        let request = Request { actions: wanted.0 & 0x1ff, protocol: wanted.1 & 0x1f_ffff };
        if let Ok(got) = agree(&offer, filter, Some((result, request))) {
            prop_assert_eq!(got.actions & !offer.actions, 0);
            prop_assert_eq!(got.answered & !offer.protocol, 0);
            prop_assert_eq!(got.faked & offer.protocol, 0);
            prop_assert!(got.version <= VERSION_MAX && got.version >= VERSION_MIN);
        }
    }
}

#[test]
fn failures_name_what_is_missing() {
    let offer = Offer { version: 6, actions: 0x1ff, protocol: 0x1f_ffff, mds: 0 };
    let less = Offer { actions: 0x1f, protocol: 0x1f_fbff, ..offer };
    for (error, text) in [
        (NegotiateError::Actions(0x1f, 0x3f), "this MTA does not offer SMFIF_QUARANTINE, without"),
        (
            NegotiateError::Protocol(0x7f, 0x480),
            "this MTA does not offer SMFIP_NR_HDR, SMFIP_SKIP, ",
        ),
        (
            NegotiateError::Version(1),
            "this MTA speaks version 1 of the milter protocol; versions 2 to 6",
        ),
        (NegotiateError::Version(u32::MAX), "this MTA speaks version -1 of"),
        (NegotiateError::Callback(1, offer), "SMFIS_REJECT from xxfi_negotiate means"),
    ] {
        let told = error.explanation().unwrap();
        assert!(told.starts_with(text), "{told}");
        let helps = told.ends_with("8.14 on offer all");
        assert_eq!(helps, !matches!(error, NegotiateError::Callback(..)), "{told}");
    }
    let told = NegotiateError::Callback(-1, less).explanation().unwrap();
    let lacks = "does not offer SMFIF_QUARANTINE, SMFIF_CHGFROM, SMFIF_ADDRCPT_PAR, SMFIF_SETSYMLIST, \
                 SMFIP_SKIP; a current Postfix";
    assert!(told.starts_with("-1 from xxfi_negotiate") && told.contains(lacks), "{told}");
    let told = NegotiateError::Actions(0x1f, 0x220).explanation().unwrap();
    let unknown = "this MTA does not offer SMFIF_QUARANTINE, 0x200, without which the filter does not run; no \
                   MTA knows 0x200, which is a mistake of the filter";
    assert_eq!(told, unknown);
    assert_eq!(NegotiateError::TooShort(3).explanation(), None);
}
