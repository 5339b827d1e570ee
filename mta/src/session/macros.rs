//! Macros: their values, and which are sent at which stage.

use super::profile::Mta;
use super::stage::Stage;
use crate::negotiate::Agreement;

/// Values by name, lists by MTA, and macros that a user adds.
#[derive(Clone, Debug)]
pub struct Macros {
    mta: Mta,
    values: Vec<(String, String)>,
    added: Vec<(Stage, String, String)>,
}

impl Macros {
    /// No values yet.
    #[must_use]
    pub fn new(mta: Mta) -> Macros {
        Macros { mta, values: Vec::new(), added: Vec::new() }
    }

    /// Sets the value that is sent wherever the name is in the list.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = braced(name);
        let value = value.into();
        match self.values.iter_mut().find(|(old, _)| *old == name) {
            Some(entry) => entry.1 = value,
            None => self.values.push((name, value)),
        }
    }

    /// Takes a value back, so that the macro is left out.
    pub fn unset(&mut self, name: &str) {
        let name = braced(name);
        self.values.retain(|(old, _)| *old != name);
    }

    /// Adds a macro to one stage, whatever the list says.
    pub fn add(&mut self, stage: Stage, name: &str, value: impl Into<String>) {
        self.added.push((stage, braced(name), value.into()));
    }

    /// The macros to send at a stage; `None` if the MTA sends no macro packet there at all.
    ///
    /// The list is the milter's if it asked for one, else the MTA's default. sendmail sends no
    /// packet for an empty list, and an empty packet if none of the names has a value. Postfix
    /// sends a packet with every command, and takes an empty list for none given.
    #[must_use]
    pub fn at(&self, stage: Stage, agreement: &Agreement) -> Option<Vec<(&str, &str)>> {
        let asked = stage.symbol_number().and_then(|number| agreement.symbols_for(number));
        let asked: Option<Vec<String>> = asked
            .map(|names| names.map(|name| String::from_utf8_lossy(name).into_owned()).collect());
        let postfix = self.mta == Mta::Postfix;
        let names = match asked {
            Some(names) if !(postfix && names.is_empty()) => names,
            _ => default_names(self.mta, stage).iter().map(|name| (*name).to_owned()).collect(),
        };
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for name in &names {
            let name = braced(name);
            if let Some((name, value)) = self.values.iter().find(|(known, _)| *known == name) {
                pairs.push((name, value));
            }
        }
        for (at, name, value) in &self.added {
            if *at == stage {
                pairs.retain(|(old, _)| old != name);
                pairs.push((name, value));
            }
        }
        if names.is_empty() && pairs.is_empty() && !postfix {
            return None;
        }
        Some(pairs)
    }
}

/// Puts braces around a name of more than one character, as macros are written on the wire.
fn braced(name: &str) -> String {
    let bare = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
    let bare = bare.unwrap_or(name);
    if bare.chars().count() == 1 { bare.to_owned() } else { format!("{{{bare}}}") }
}

/// The macros an MTA sends unless it is configured or asked otherwise.
fn default_names(mta: Mta, stage: Stage) -> &'static [&'static str] {
    match (mta, stage) {
        (Mta::Postfix, Stage::Connect) => &["j", "daemon_name", "daemon_addr", "v", "_"],
        (Mta::Postfix, Stage::Mail) => &[
            "i",
            "auth_type",
            "auth_authen",
            "auth_author",
            "mail_addr",
            "mail_host",
            "mail_mailer",
        ],
        (Mta::Postfix, Stage::Rcpt) => &["i", "rcpt_addr", "rcpt_host", "rcpt_mailer"],
        (Mta::Postfix, Stage::Unknown) => &[],
        (_, Stage::Helo) => {
            &["tls_version", "cipher", "cipher_bits", "cert_subject", "cert_issuer"]
        }
        (Mta::Postfix, _) => &["i"],
        (_, Stage::Connect) => &["j", "_", "daemon_name", "if_name", "if_addr"],
        (_, Stage::Mail) => &[
            "i",
            "auth_type",
            "auth_authen",
            "auth_ssf",
            "auth_author",
            "mail_mailer",
            "mail_host",
            "mail_addr",
        ],
        (_, Stage::Rcpt) => &["rcpt_mailer", "rcpt_host", "rcpt_addr"],
        (Mta::Sendmail | Mta::Sendmail813, Stage::EndOfMessage) => &["msg_id"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(symbols: &[(u32, &str)]) -> Agreement {
        Agreement {
            version: 6,
            actions: 0,
            protocol: 0,
            symbols: symbols
                .iter()
                .map(|(stage, names)| (*stage, names.as_bytes().to_vec()))
                .collect(),
        }
    }

    fn macros(mta: Mta) -> Macros {
        let mut macros = Macros::new(mta);
        macros.set("{j}", "mx");
        macros.set("i", "ID");
        macros.set("mail_addr", "a@b");
        macros
    }

    #[test]
    fn unset_macros_are_left_out_and_empty_packets_kept() {
        let none = agreement(&[]);
        let sendmail = macros(Mta::Sendmail);
        assert_eq!(sendmail.at(Stage::Connect, &none), Some(vec![("j", "mx")]));
        assert_eq!(sendmail.at(Stage::Helo, &none), Some(vec![]));
        let mail = vec![("i", "ID"), ("{mail_addr}", "a@b")];
        assert_eq!(sendmail.at(Stage::Mail, &none), Some(mail));
    }

    #[test]
    fn sendmail_leaves_out_stages_without_a_list_and_postfix_none() {
        let none = agreement(&[]);
        let stages = [Stage::Data, Stage::Header, Stage::EndOfHeaders, Stage::Body];
        for stage in stages {
            assert_eq!(macros(Mta::Sendmail).at(stage, &none), None);
            assert_eq!(macros(Mta::Postfix).at(stage, &none), Some(vec![("i", "ID")]));
        }
        assert_eq!(macros(Mta::Postfix).at(Stage::Unknown, &none), Some(vec![]));
        assert_eq!(macros(Mta::Sendmail812).at(Stage::EndOfMessage, &none), None);
    }

    #[test]
    fn the_milter_may_ask_for_its_own_list() {
        let asked = agreement(&[(0, "i, {j} x"), (2, "")]);
        for mta in [Mta::Sendmail, Mta::Postfix] {
            let at = macros(mta);
            assert_eq!(at.at(Stage::Connect, &asked), Some(vec![("i", "ID"), ("j", "mx")]));
        }
        assert_eq!(macros(Mta::Sendmail).at(Stage::Mail, &asked), None);
        let default = macros(Mta::Postfix);
        assert_eq!(default.at(Stage::Mail, &asked).map(|pairs| pairs.len()), Some(2));
    }

    #[test]
    fn added_macros_go_to_their_stage_and_win() {
        let mut macros = macros(Mta::Sendmail);
        macros.add(Stage::Mail, "auth_type", "PLAIN");
        macros.add(Stage::Mail, "i", "OTHER");
        macros.add(Stage::Data, "x", "1");
        let pairs = macros.at(Stage::Mail, &agreement(&[])).unwrap();
        assert_eq!(pairs, [("{mail_addr}", "a@b"), ("{auth_type}", "PLAIN"), ("i", "OTHER")]);
        assert_eq!(macros.at(Stage::Data, &agreement(&[])), Some(vec![("x", "1")]));
        macros.unset("mail_addr");
        assert_eq!(macros.at(Stage::Mail, &agreement(&[])).unwrap().len(), 2);
    }
}
