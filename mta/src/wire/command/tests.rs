//! Commands against bytes written out by hand.

use super::*;

/// Encodes and shows the bytes in hexadecimal.
fn hex(command: Command<'_>) -> String {
    let mut out = Vec::new();
    command.encode(&mut out);
    let text: Vec<String> = out.iter().map(|byte| format!("{byte:02x}")).collect();
    text.join(" ")
}

#[test]
fn negotiation_carries_three_words() {
    let offer = Command::Negotiate { version: 6, actions: 0x1ff, protocol: 0x1f_ffff };
    assert_eq!(hex(offer), "00 00 00 0d 4f 00 00 00 06 00 00 01 ff 00 1f ff ff");
}

#[test]
fn macros_name_the_command_they_belong_to() {
    let with = Command::Macros { target: b'C', pairs: &[(b"j", b"mx")] };
    assert_eq!(hex(with), "00 00 00 07 44 43 6a 00 6d 78 00");
    let empty = Command::Macros { target: b'H', pairs: &[] };
    assert_eq!(hex(empty), "00 00 00 02 44 48");
}

#[test]
fn connect_carries_family_port_and_address() {
    let inet = Origin::Inet(Ipv4Addr::new(192, 0, 2, 1), 1234);
    let command = Command::Connect { host: b"host.example", origin: &inet };
    assert_eq!(
        hex(command),
        "00 00 00 1b 43 68 6f 73 74 2e 65 78 61 6d 70 6c 65 00 34 04 d2 31 39 32 2e 30 2e 32 2e 31 00"
    );
    let unknown = Command::Connect { host: b"h", origin: &Origin::Unknown };
    assert_eq!(hex(unknown), "00 00 00 04 43 68 00 55");
}

#[test]
fn ipv6_addresses_take_sendmails_prefix_on_request() {
    for (prefix, text) in [(false, &b"\x36\0\x19::1\0"[..]), (true, b"\x36\0\x19IPv6:::1\0")] {
        let origin = Origin::Inet6(Ipv6Addr::LOCALHOST, 25, prefix);
        let mut out = Vec::new();
        Command::Connect { host: b"", origin: &origin }.encode(&mut out);
        assert_eq!(&out[6..], text);
    }
}

#[test]
fn a_unix_origin_has_a_port_that_means_nothing() {
    let origin = Origin::Unix(b"/run/s".to_vec());
    let mut out = Vec::new();
    Command::Connect { host: b"h", origin: &origin }.encode(&mut out);
    assert_eq!(&out[5..], b"h\0L\0\0/run/s\0");
}

#[test]
fn strings_end_in_nul_and_plain_commands_are_one_letter() {
    assert_eq!(
        hex(Command::Mail(&[b"<a@b>", b"SIZE=1"])),
        "00 00 00 0e 4d 3c 61 40 62 3e 00 53 49 5a 45 3d 31 00"
    );
    assert_eq!(hex(Command::Rcpt(&[b"<c@d>"])), "00 00 00 07 52 3c 63 40 64 3e 00");
    let header = Command::Header { name: b"Subject", value: b"hi" };
    assert_eq!(hex(header), "00 00 00 0c 4c 53 75 62 6a 65 63 74 00 68 69 00");
    assert_eq!(hex(Command::Helo(b"me")), "00 00 00 04 48 6d 65 00");
    assert_eq!(hex(Command::Unknown(b"FOO")), "00 00 00 05 55 46 4f 4f 00");
    assert_eq!(hex(Command::Body(b"hello")), "00 00 00 06 42 68 65 6c 6c 6f");
    for (command, byte) in [
        (Command::Data, "54"),
        (Command::EndOfHeaders, "4e"),
        (Command::EndOfBody, "45"),
        (Command::Abort, "41"),
        (Command::Quit, "51"),
        (Command::QuitNewConnection, "4b"),
    ] {
        assert_eq!(hex(command), format!("00 00 00 01 {byte}"));
    }
}
