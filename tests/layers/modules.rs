//! The modules of one package: which file each is in, and which file a path leads to.

use crate::graph::Graph;
use crate::source::{Child, Reference, Source, read};
use crate::text::{files, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A module: the file that nobody declares, at the root of it, and the names from there.
type Module = (PathBuf, Vec<String>);

#[derive(Debug, Default)]
pub(crate) struct Modules {
    sources: BTreeMap<PathBuf, Source>,
    /// The file of each module; a file may be declared more than once.
    files: BTreeMap<Module, PathBuf>,
    /// Files that are there for tests only.
    tests: BTreeSet<PathBuf>,
    /// What `use` binds in a module.
    bound: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
enum Target {
    Module(Module),
    /// Something that is defined in a file.
    Item(PathBuf),
}

/// The Rust files of a folder, as paths from the root of the repository, each with those it uses.
pub(crate) fn graph_of(folder: &str) -> Graph {
    let top = root().join(folder);
    let texts: BTreeMap<PathBuf, String> = files(&top, &["rs"])
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(top.join(&file)).unwrap();
            (PathBuf::from(folder).join(file), text)
        })
        .collect();
    uses(texts)
}

/// Which file of the package uses which.
pub(crate) fn uses(texts: BTreeMap<PathBuf, String>) -> Graph {
    Modules::of(texts).graph()
}

impl Modules {
    fn of(texts: BTreeMap<PathBuf, String>) -> Self {
        let sources: BTreeMap<_, _> =
            texts.into_iter().map(|(file, text)| (file, read(&text))).collect();
        let mut modules = Self { sources, ..Self::default() };
        let declared: BTreeSet<PathBuf> = modules
            .sources
            .iter()
            .flat_map(|(file, source)| source.children.iter().map(move |child| (file, child)))
            .filter_map(|(file, child)| modules.file_of(file, child))
            .collect();
        let roots: Vec<PathBuf> =
            modules.sources.keys().filter(|file| !declared.contains(*file)).cloned().collect();
        for root in roots {
            modules.enter((root.clone(), Vec::new()), &root, false);
        }
        modules.bind();
        modules
    }

    /// Where the code of a child is, as the compiler looks for it.
    fn file_of(&self, parent: &Path, child: &Child) -> Option<PathBuf> {
        if child.inline {
            return Some(parent.to_path_buf());
        }
        let dir = parent.parent().unwrap_or(Path::new(""));
        let own = dir.join(parent.file_stem().unwrap_or_default());
        let candidates = match &child.path {
            Some(path) => vec![plain(&dir.join(path))],
            // Only roots and `mod.rs` have their children beside them.
            None => [own, dir.to_path_buf()]
                .iter()
                .map(|top| child.scope.iter().fold(top.clone(), |dir, name| dir.join(name)))
                .flat_map(|top| {
                    [top.join(format!("{}.rs", child.name)), top.join(&child.name).join("mod.rs")]
                })
                .collect(),
        };
        candidates.into_iter().find(|file| self.sources.contains_key(file) && file != parent)
    }

    /// Enters a module and all below it.
    fn enter(&mut self, module: Module, file: &Path, test: bool) {
        if test {
            self.tests.insert(file.to_path_buf());
        }
        self.files.insert(module.clone(), file.to_path_buf());
        let children = &self.sources[file].children;
        let below: Vec<(Module, Option<PathBuf>, bool, bool)> = children
            .iter()
            .map(|child| {
                let inner = inside(&module, &child.scope, &child.name);
                (inner, self.file_of(file, child), child.inline, child.test)
            })
            .collect();
        for (inner, place, inline, for_tests) in below {
            match place {
                // Its own children are among those of the file.
                Some(place) if inline => drop(self.files.insert(inner, place)),
                Some(place) => self.enter(inner, &place, test || for_tests),
                None => {}
            }
        }
    }

    /// The modules that a file is, with the references in each.
    fn references(&self) -> impl Iterator<Item = (Module, &Path, &Reference)> {
        let whole = self.files.iter().filter(|(module, file)| {
            // Inline modules are in the file of the module around.
            let parent = module.1.split_last().map(|(_, up)| (module.0.clone(), up.to_vec()));
            parent.is_none_or(|parent| self.files.get(&parent) != Some(*file))
        });
        whole.flat_map(|(module, file)| {
            self.sources[file].references.iter().map(move |reference| {
                let names = module.1.iter().chain(&reference.scope).cloned().collect();
                ((module.0.clone(), names), file.as_path(), reference)
            })
        })
    }

    fn bind(&mut self) {
        let mut bound: BTreeMap<Module, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for (module, _, reference) in self.references() {
            if let Some(name) = &reference.binds {
                bound.entry(module).or_default().insert(name.clone(), reference.segments.clone());
            }
        }
        self.bound = bound;
    }

    /// Where a path leads that stands in a module; `None` out of the package.
    fn resolve(&self, module: &Module, segments: &[String], patience: usize) -> Option<Target> {
        let patience = patience.checked_sub(1)?;
        let (root, names) = module;
        let (first, mut rest) = segments.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module((root.clone(), Vec::new())),
            "self" => Target::Module(module.clone()),
            "super" => {
                let mut up = names.clone();
                up.pop()?;
                while let Some(("super", more)) = rest.split_first().map(|(s, m)| (s.as_str(), m)) {
                    up.pop()?;
                    rest = more;
                }
                Target::Module((root.clone(), up))
            }
            name => self.member(module, name, patience)?,
        };
        for name in rest {
            let Target::Module(inside) = &at else { break };
            at = match self.member(inside, name, patience) {
                Some(target) => target,
                None => Target::Item(self.files.get(inside)?.clone()),
            };
        }
        Some(at)
    }

    /// A child of a module, or what a `use` in it binds to a name.
    fn member(&self, module: &Module, name: &str, patience: usize) -> Option<Target> {
        let child = inside(module, &[], name);
        if self.files.contains_key(&child) {
            return Some(Target::Module(child));
        }
        let segments = self.bound.get(module)?.get(name)?;
        self.resolve(module, segments, patience)
    }

    fn graph(&self) -> Graph {
        let mut graph: Graph = BTreeMap::new();
        for file in self.files.values().filter(|file| !self.tests.contains(*file)) {
            graph.entry(shown(file)).or_default();
        }
        for (module, file, reference) in self.references() {
            if self.tests.contains(file) || self.hands_on(&module, file, reference) {
                continue;
            }
            let all = reference.binds.as_deref() == Some("*");
            let to = match self.resolve(&module, &reference.segments, 16) {
                Some(Target::Item(to)) => to,
                // To name a module is to use nothing of it yet.
                Some(Target::Module(whole)) if all => self.files[&whole].clone(),
                _ => continue,
            };
            if to != file && !self.tests.contains(&to) {
                graph.entry(shown(file)).or_default().insert(shown(&to));
            }
        }
        graph
    }

    /// Whether a `pub use` only shows what a module further in has, as a `mod` line does.
    fn hands_on(&self, module: &Module, file: &Path, reference: &Reference) -> bool {
        let Some(name) = reference.binds.as_ref().filter(|_| reference.public) else {
            return false;
        };
        let segments = match reference.segments.split_first() {
            Some((first, rest)) if first == "self" => rest,
            _ => &reference.segments[..],
        };
        let own = segments.first().map(|first| inside(module, &[], first));
        own.is_some_and(|child| self.files.contains_key(&child))
            && !self.sources[file].names.contains(name)
    }
}

fn inside((root, names): &Module, scope: &[String], name: &str) -> Module {
    let mut names = names.clone();
    names.extend_from_slice(scope);
    names.push(name.to_owned());
    (root.clone(), names)
}

fn shown(file: &Path) -> String {
    file.to_string_lossy().into_owned()
}

/// A path without `..` in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
