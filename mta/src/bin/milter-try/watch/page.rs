//! What a filter tells: its numbers, and the callbacks under way.

use std::collections::BTreeMap;

use milter_mta::wire::text::printable;

/// The numbers of a filter.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// By name without "libmilter_": labels as they are written, and the value.
    families: BTreeMap<String, Vec<(Labels, f64)>>,
}

/// Labels of a number.
type Labels = BTreeMap<String, String>;

impl Page {
    /// Reads Prometheus's text format; `None` if it is not about libmilter.
    pub(super) fn read(text: &str) -> Option<Page> {
        let mut page = Page::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ')?;
            let (name, labels) = match name.split_once('{') {
                Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
                None => (name, Labels::new()),
            };
            let name = name.strip_prefix("libmilter_")?.to_owned();
            page.families.entry(name).or_default().push((labels, value.parse().ok()?));
        }
        page.families.contains_key("build_info").then_some(page)
    }

    /// All numbers of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = (&Labels, f64)> {
        self.families.get(name).into_iter().flatten().map(|(labels, value)| (labels, *value))
    }

    /// The number of a name with these labels.
    pub(super) fn get(&self, name: &str, wanted: &[(&str, &str)]) -> Option<f64> {
        let has = |labels: &Labels| {
            wanted.iter().all(|(label, value)| labels.get(*label).is_some_and(|v| v == value))
        };
        self.all(name).find(|(labels, _)| has(labels)).map(|(_, value)| value)
    }

    /// A number without labels; 0 if it is not there.
    pub(super) fn one(&self, name: &str) -> f64 {
        self.get(name, &[]).unwrap_or(0.0)
    }

    /// The values of a name by the value of a label, in the order of the page.
    pub(super) fn by(&self, name: &str, label: &str) -> Vec<(String, f64)> {
        let value = |labels: &Labels| labels.get(label).cloned().unwrap_or_default();
        self.all(name).map(|(labels, count)| (value(labels), count)).collect()
    }

    /// When the filter was started, by which it is told from one that was started later.
    pub(super) fn start(&self) -> f64 {
        self.one("start_time_seconds")
    }

    /// A label of what the page is about.
    pub(super) fn about(&self, label: &str) -> String {
        let labels = self.all("build_info").next();
        let value = labels.and_then(|(labels, _)| labels.get(label).cloned());
        printable(value.unwrap_or_default().as_bytes())
    }
}

/// Reads `name="value",name="value"`.
fn labels(mut text: &str) -> Option<Labels> {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut escaped = false;
        let mut end = None;
        for (at, c) in rest.char_indices() {
            match c {
                'n' if escaped => value.push('\n'),
                c if escaped => value.push(c),
                '\\' => {
                    escaped = true;
                    continue;
                }
                '"' => {
                    end = Some(at);
                    break;
                }
                c => value.push(c),
            }
            escaped = false;
        }
        text = rest.get(end? + 1..)?;
        text = text.strip_prefix(',').unwrap_or(text);
        labels.insert(name.to_owned(), value);
    }
    Some(labels)
}

/// Callbacks under way, the longest first.
#[derive(Debug, Default)]
pub(super) struct Callbacks {
    pub(super) rows: Vec<Callback>,
    /// All of them, of which there may be more than rows.
    pub(super) count: usize,
}

/// A callback under way.
#[derive(Debug, Clone)]
pub(super) struct Callback {
    pub(super) session: String,
    pub(super) name: String,
    pub(super) milliseconds: u64,
    pub(super) thread: String,
    pub(super) queue_id: String,
}

impl Callbacks {
    /// Reads the page of callbacks.
    pub(super) fn read(text: &str) -> Callbacks {
        let head = text.lines().find(|line| line.starts_with('#'));
        let count = head
            .and_then(|head| head.rsplit_once("; ")?.1.split(' ').next()?.parse::<usize>().ok());
        let rows: Vec<Callback> = text.lines().filter_map(row).collect();
        Callbacks { count: count.unwrap_or(rows.len()), rows }
    }
}

fn row(line: &str) -> Option<Callback> {
    let fields: Vec<String> = line.split('\t').map(|field| printable(field.as_bytes())).collect();
    match &fields[..] {
        [session, name, _, milliseconds, thread, queue_id] if !session.starts_with('#') => {
            Some(Callback {
                session: session.clone(),
                name: name.clone(),
                milliseconds: milliseconds.parse().ok()?,
                thread: thread.clone(),
                queue_id: queue_id.clone(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read() {
        let text = "# HELP libmilter_build_info x\n# TYPE libmilter_build_info gauge\n\
                    libmilter_build_info{version=\"1\",filter=\"a \\\"b\\\" \\\\,}\"} 1\n\
                    libmilter_x_total{a=\"1\"} 3\nlibmilter_x_total{a=\"2\"} 4.5\nlibmilter_y 7\n";
        let page = Page::read(text).unwrap();
        assert_eq!(page.about("filter"), "a \"b\" \\,}");
        assert_eq!(page.by("x_total", "a"), [("1".into(), 3.0), ("2".into(), 4.5)]);
        assert_eq!((page.get("x_total", &[("a", "2")]), page.one("y")), (Some(4.5), 7.0));
        for other in ["", "<html>\n", "node_load1 3\n", "libmilter_y 7\n", "libmilter_x{a} 1\n"] {
            assert!(Page::read(other).is_none(), "{other}");
        }
    }

    #[test]
    fn callbacks_are_read() {
        let text = "# session\tcallback\tstage\tmilliseconds\tthread\tqueue id; 3 in all\n\
                    7\txxfi_eom\teom\t1500\t99\tQ\n8\txxfi_body\tbody\t5\t-\t-\nnonsense\n";
        let callbacks = Callbacks::read(text);
        assert_eq!((callbacks.count, callbacks.rows.len()), (3, 2));
        assert_eq!(callbacks.rows[0].milliseconds, 1500);
    }
}
