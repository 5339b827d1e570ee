//! Stalwart's way: a connection for each stage, each telling the session from its beginning.

use super::mail::{CLIENT, Mail, PATIENCE, received, sent};
use c_tests::{Error, Result};
use milter_mta::wire::{Command, Origin};
use milter_mta::{Agreement, Client, ConnSpec, Offer};

/// A connection for each stage; ends with the message's own.
pub(super) fn stalwart(
    offer: Offer,
    spec: &ConnSpec,
    mail: &Mail<'_>,
    said: &mut Vec<String>,
) -> Result<()> {
    for stages in 1..=5 {
        said.push(format!("-- Stalwart, version {}, stage {stages}", offer.version));
        let fail = |e: &dyn std::fmt::Display| Error::new("Stalwart", e);
        let mut client = Client::connect(spec, PATIENCE).map_err(|e| fail(&e))?;
        match stalwart_stages(&mut client, offer, mail, stages, said) {
            Ok(true) => {}
            Ok(false) => {
                // Any other verdict: it hangs up without a word.
                said.push("(hung up)".to_owned());
                break;
            }
            Err(e) if e.is_closed() => {
                said.push("(closed by the filter)".to_owned());
                break;
            }
            Err(e) => return Err(fail(&e)),
        }
        let quit = client.send_command(&Command::Quit);
        let rest = quit.and_then(|()| client.read_to_end(PATIENCE)).map_err(|e| fail(&e))?;
        said.push(format!("(quit, then {} bytes)", rest.len()));
    }
    Ok(())
}

/// Says as many stages as asked for; `false` after a verdict other than continue or accept.
fn stalwart_stages(
    client: &mut Client,
    offer: Offer,
    mail: &Mail<'_>,
    stages: usize,
    said: &mut Vec<String>,
) -> std::result::Result<bool, milter_mta::ClientError> {
    let Offer { version, actions, protocol } = offer;
    client.send_command(&Command::Negotiate { version, actions, protocol })?;
    let answer = client.read_owned(PATIENCE)?;
    said.push(received(&answer));
    let Ok(agreed) = Agreement::check(&offer, answer.as_packet()) else {
        return Ok(false);
    };
    let origin = Origin::Inet(CLIENT, 40_000);
    let (sender, brackets) =
        (format!("<{}>", mail.sender), |address: &&str| format!("<{address}>"));
    let recipients: Vec<String> = mail.recipients.iter().map(brackets).collect();
    let (header, body) = mail.text.split_once("\n\n").unwrap_or((mail.text, ""));
    let headers: Vec<(&str, &str)> = header.lines().filter_map(|l| l.split_once(": ")).collect();
    let body = body.replace('\n', "\r\n");
    let sender = [sender.as_bytes()];
    let recipients: Vec<[&[u8]; 1]> = recipients.iter().map(|r| [r.as_bytes()]).collect();

    let mut commands: Vec<(usize, Command<'_>)> = vec![
        (1, Command::Connect { host: b"client.example", origin: &origin }),
        (2, Command::Helo(b"client.example")),
        (3, Command::Mail(&sender)),
    ];
    commands.extend(recipients.iter().map(|r| (4, Command::Rcpt(r))));
    if version >= 6 {
        commands.push((5, Command::Data));
    }
    commands.extend(headers.iter().map(|(name, value)| {
        (5, Command::Header { name: name.as_bytes(), value: value.trim().as_bytes() })
    }));
    commands.push((5, Command::EndOfHeaders));
    if !body.is_empty() {
        commands.push((5, Command::Body(body.as_bytes())));
    }
    commands.push((5, Command::EndOfBody));
    let macros: [(u8, &[(&str, &str)]); 4] = [
        (
            b'C',
            &[("{daemon_name}", "stalwart"), ("j", "mx.example"), ("{client_addr}", "192.0.2.5")],
        ),
        (b'H', &[("{cipher}", ""), ("{tls_version}", "")]),
        (b'M', &[("{mail_addr}", mail.sender), ("{auth_authen}", "ada")]),
        (b'R', &[("{rcpt_addr}", mail.recipients[0])]),
    ];
    for (stage, command) in commands {
        let letter = command.letter();
        // It offers to leave out HELO (0x02) and the end of the header (0x40), nothing else.
        let unwanted = (letter == b'H' && agreed.has(0x02)) || (letter == b'N' && agreed.has(0x40));
        if stage > stages || unwanted {
            continue;
        }
        if let Some((_, pairs)) = macros.iter().find(|(target, _)| *target == letter) {
            client.queue_macros(letter, pairs);
        }
        said.push(sent(&command));
        client.send_command(&command)?;
        loop {
            let reply = client.read_owned(PATIENCE)?;
            said.push(received(&reply));
            match reply.letter {
                // "accept" is "continue" to it.
                b'c' | b'a' => break,
                // Changes at the end of the message, progress, skipping.
                b'h' | b'i' | b'm' | b'+' | b'2' | b'-' | b'e' | b'b' | b'q' | b'p' => {}
                b's' => break,
                _ => return Ok(false),
            }
        }
    }
    Ok(true)
}
