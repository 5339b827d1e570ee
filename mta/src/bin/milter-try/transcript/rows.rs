//! Rows of packets that are all alike, of which the first is shown and the rest summed up.

/// Parts of the body, all with the same reply.
#[derive(Debug, Default)]
pub(super) struct BodyRow {
    state: Body,
}

/// Where a reply belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To the part that begins a row.
    First,
    /// To one that is summed up.
    Within,
    /// To no row, or it ends one.
    After,
}

#[derive(Debug, Default)]
enum Body {
    /// Something else was shown last.
    #[default]
    None,
    /// A part was shown, its reply is due.
    First,
    /// A part was shown with this reply; so many more parts and bytes had the same. Of the last
    /// part the reply may be due.
    Row { reply: String, parts: usize, bytes: usize, due: Option<usize> },
}

impl BodyRow {
    /// A part is shown.
    pub(super) fn begin(&mut self) {
        self.state = Body::First;
    }

    /// Whether another part is summed up.
    pub(super) fn takes(&mut self, length: usize) -> bool {
        match &mut self.state {
            Body::Row { due, .. } => {
                *due = Some(length);
                true
            }
            _ => false,
        }
    }

    /// Takes a reply.
    pub(super) fn answers(&mut self, text: &str) -> Place {
        match &mut self.state {
            Body::None => Place::After,
            Body::First => {
                let reply = text.to_owned();
                self.state = Body::Row { reply, parts: 0, bytes: 0, due: None };
                Place::First
            }
            Body::Row { reply, parts, bytes, due } if reply == text => match due.take() {
                Some(length) => {
                    *parts += 1;
                    *bytes += length;
                    Place::Within
                }
                None => Place::After,
            },
            Body::Row { .. } => Place::After,
        }
    }

    /// The end of the row: lines that are to be shown, and their replies. The reply of the last may
    /// be still to come.
    pub(super) fn end(&mut self) -> Vec<(String, Option<String>)> {
        let Body::Row { reply, parts, bytes, due } = std::mem::take(&mut self.state) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        match parts {
            0 => {}
            1 => lines.push((format!("{bytes} bytes"), Some(reply))),
            _ => {
                let text = format!("{parts} more parts, {bytes} bytes");
                lines.push((text, Some(format!("{reply} each"))));
            }
        }
        lines.extend(due.map(|length| (format!("{length} bytes"), None)));
        lines
    }
}

/// Parts of a new body.
#[derive(Debug, Default)]
pub(super) struct ReplacementRow {
    /// One was shown last; so many more parts and bytes came after it.
    row: Option<(usize, usize)>,
}

impl ReplacementRow {
    /// A part is shown.
    pub(super) fn begin(&mut self) {
        self.row = Some((0, 0));
    }

    /// Whether another part is summed up.
    pub(super) fn takes(&mut self, length: usize) -> bool {
        match &mut self.row {
            Some((parts, bytes)) => {
                *parts += 1;
                *bytes += length;
                true
            }
            None => false,
        }
    }

    /// The end of the row: what is to be shown of it.
    pub(super) fn end(&mut self) -> Option<String> {
        match self.row.take()? {
            (0, _) => None,
            (1, bytes) => Some(format!("replace body, {bytes} bytes")),
            (parts, bytes) => Some(format!("replace body, {parts} more parts, {bytes} bytes")),
        }
    }
}
