//! The modules of a crate, and which file uses items of which.
//!
//! A file uses another if a path in it, in a `use` or elsewhere, leads to an item that is defined there, or if it calls a macro of its. A
//! name that a module re-exports leads to the file that defines it. Neither `mod` nor a re-export is a use by itself, and tests
//! beside the code are left out. A method call is not seen: the types that it needs are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, Lit, Meta, Visibility};

type Segments = Vec<String>;
/// The names that were looked up on the way, and where: names may lead in circles.
type Seen = BTreeSet<(usize, String)>;
/// For each file, the files that it uses, with the names that it uses of each.
pub type Arrows = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The modules of one crate.
#[derive(Debug, Default)]
pub struct Modules {
    modules: Vec<Module>,
    macros: BTreeMap<String, usize>,
    /// The files, each with the first sentence of its documentation.
    pub files: BTreeMap<PathBuf, String>,
}

#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// The names that are defined here.
    items: BTreeSet<String>,
    /// The paths that a `use` brings, by the name that they have here.
    names: BTreeMap<String, Vec<Segments>>,
    /// The modules whose every name is brought.
    globs: Vec<Segments>,
    /// Names that a public `use` brings.
    reexports: BTreeSet<String>,
    scan: Scan,
}

impl Module {
    /// The paths that a path stands for, if its first name is brought from several places.
    fn each_meaning(&self, path: Segments) -> Vec<Segments> {
        match self.names.get(&path[0]) {
            Some(several) if several.len() > 1 => {
                several.iter().map(|first| [first, &path[1..]].concat()).collect()
            }
            _ => vec![path],
        }
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug)]
enum Home {
    Module(usize),
    Item(usize),
}

impl Modules {
    /// Reads the modules of the crate that begins with the file.
    ///
    /// # Panics
    /// If a file is absent or is no Rust.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        let directory = root.parent().expect("a directory");
        modules.file(root, directory, None);
        modules
    }

    /// Reads a file, whose modules lie in the directory.
    fn file(&mut self, file: &Path, directory: &Path, parent: Option<usize>) -> usize {
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let sentence = first_sentence(&parsed.attrs);
        self.files.insert(file.into(), sentence);
        self.module(file, directory, parent, parsed.items)
    }

    fn module(&mut self, file: &Path, directory: &Path, parent: Option<usize>, items: Vec<Item>) -> usize {
        let id = self.modules.len();
        self.modules.push(Module { file: file.into(), parent, ..Module::default() });
        for item in items {
            if attributes(&item).iter().any(is_for_tests) {
                continue;
            }
            match item {
                Item::Mod(item) => {
                    let name = plain(&item.ident);
                    let child = if let Some((_, items)) = item.content {
                        self.module(file, &directory.join(&name), Some(id), items)
                    } else if let Some(path) = item.attrs.iter().find_map(|attribute| text(attribute, "path"))
                    {
                        let file = file.parent().expect("a directory").join(path);
                        self.file(&file, file.parent().expect("a directory"), Some(id))
                    } else {
                        let inside = directory.join(&name);
                        let beside = directory.join(format!("{name}.rs"));
                        let file = if beside.exists() { beside } else { inside.join("mod.rs") };
                        self.file(&file, &inside, Some(id))
                    };
                    self.modules[id].children.insert(name, child);
                }
                Item::Use(item) => {
                    let private = matches!(item.vis, Visibility::Inherited);
                    let mut leaves = Vec::new();
                    let mut tokens = item.tree.to_token_stream().into_iter().collect::<Vec<_>>();
                    if item.leading_colon.is_some() {
                        tokens.clear();
                    }
                    use_tree(&tokens, &[], &mut leaves);
                    self.brings(id, leaves, private);
                }
                item => {
                    if let Some(name) = name(&item) {
                        if matches!(item, Item::Macro(_)) {
                            self.macros.insert(name.clone(), id);
                        }
                        self.modules[id].items.insert(name);
                    }
                    let mut scan = std::mem::take(&mut self.modules[id].scan);
                    scan.tokens(item.to_token_stream());
                    let leaves = std::mem::take(&mut scan.uses);
                    self.modules[id].scan = scan;
                    self.brings(id, leaves, true);
                }
            }
        }
        id
    }

    /// Notes the names that a `use` brings into a module.
    fn brings(&mut self, id: usize, leaves: Vec<(String, Segments)>, private: bool) {
        let module = &mut self.modules[id];
        for (name, path) in leaves {
            let glob = name == "*";
            if private {
                module.scan.paths.insert(path.iter().cloned().chain(glob.then(|| name.clone())).collect());
            }
            if glob {
                module.globs.push(path);
            } else {
                if !private {
                    module.reexports.insert(name.clone());
                }
                module.names.entry(name).or_default().push(path);
            }
        }
    }

    /// Which file uses which.
    #[must_use]
    pub fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (id, module) in self.modules.iter().enumerate() {
            let mut add = |home, name: &String| {
                let target: &Module = &self.modules[home];
                if target.file != module.file {
                    let names = arrows.entry(module.file.clone()).or_default().entry(target.file.clone());
                    names.or_default().insert(name.clone());
                }
            };
            let reexported = module.reexports.intersection(&module.scan.words).map(|name| vec![name.clone()]);
            let paths = module.scan.paths.iter().cloned().chain(reexported);
            for path in paths.flat_map(|path| module.each_meaning(path)) {
                let last = path.last().expect("a name");
                if let Some(Home::Item(home)) = self.resolve(id, &path, &mut Seen::new()) {
                    add(home, last);
                } else if last == "*" {
                    if let Some(Home::Module(home)) =
                        self.resolve(id, &path[..path.len() - 1], &mut Seen::new())
                    {
                        add(home, last);
                    }
                }
            }
            for name in &module.scan.macros {
                if let Some(&home) = self.macros.get(name).filter(|_| !module.names.contains_key(name)) {
                    add(home, name);
                }
            }
        }
        arrows
    }

    /// Follows a path that stands in the module.
    fn resolve(&self, from: usize, path: &[String], seen: &mut Seen) -> Option<Home> {
        let mut at = from;
        for (index, segment) in path.iter().enumerate() {
            let last = index + 1 == path.len();
            match (segment.as_str(), index) {
                ("crate", 0) => at = 0,
                ("self", _) => {}
                ("super", _) => at = self.modules[at].parent?,
                ("*", _) => return None,
                _ => match self.lookup(at, segment, last, seen) {
                    Some(Home::Module(module)) => at = module,
                    Some(item) => return Some(item),
                    // Another crate, or what a macro defines in a module that was named.
                    None if index == 0 || self.modules[at].names.contains_key(segment) => return None,
                    None => return Some(Home::Item(at)),
                },
            }
        }
        Some(Home::Module(at))
    }

    /// What a name stands for in a module: the last of a path for an item first, another for a module.
    fn lookup(&self, at: usize, name: &str, last: bool, seen: &mut Seen) -> Option<Home> {
        let module = &self.modules[at];
        let child = module.children.get(name).map(|&child| Home::Module(child));
        if (!last && child.is_some()) || !seen.insert((at, name.into())) {
            return child;
        }
        if module.items.contains(name) {
            return Some(Home::Item(at));
        }
        let mut brought = module.names.get(name).into_iter().flatten();
        let home = brought.find_map(|path| self.resolve(at, path, seen)).or(child);
        home.or_else(|| {
            module.globs.iter().find_map(|path| match self.resolve(at, path, seen) {
                Some(Home::Module(other)) => self.lookup(other, name, last, seen),
                _ => None,
            })
        })
    }
}

/// The paths and names in some code.
#[derive(Debug, Default)]
struct Scan {
    /// Paths of two names or more, and the paths of a private `use`.
    paths: BTreeSet<Segments>,
    /// Types and functions whose name stands alone.
    words: BTreeSet<String>,
    /// Macros that are called by their name alone.
    macros: BTreeSet<String>,
    /// The names and paths of a `use` inside a function.
    uses: Vec<(String, Segments)>,
}

impl Scan {
    /// Reads a module that a macro defines: what is `super` there is this module.
    fn inside(&mut self, stream: TokenStream) {
        let mut inner = Self::default();
        inner.tokens(stream);
        let outside = |mut path: Segments| {
            let leads_out = path.first().is_some_and(|first| first == "super" || first == "crate");
            if leads_out && path[0] == "super" {
                path[0] = "self".into();
            }
            leads_out.then_some(path)
        };
        self.paths.extend(
            inner.paths.into_iter().chain(inner.uses.into_iter().map(|(_, path)| path)).filter_map(outside),
        );
    }

    fn tokens(&mut self, stream: TokenStream) {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) if at > 1 && tokens[at - 2].to_string() == "mod" => {
                    self.inside(group.stream())
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(word) if word == "use" => {
                    let end = tokens[at..].iter().position(|token| is(token, ';')).unwrap_or(0);
                    use_tree(&tokens[at + 1..at + end.max(1)], &[], &mut self.uses);
                    at += end;
                }
                TokenTree::Ident(_) => {
                    let (path, next) = segments(&tokens, at);
                    let after_dot = at > 0 && is(&tokens[at - 1], '.');
                    let after_colons = at > 1 && is(&tokens[at - 1], ':') && is_joint(&tokens[at - 2]);
                    let called = tokens.get(next).is_some_and(|token| is(token, '!'));
                    if after_dot || after_colons {
                    } else if path.len() > 1 {
                        self.paths.insert(path);
                    } else if called {
                        self.macros.insert(path[0].clone());
                    } else if path[0].starts_with(char::is_uppercase) || is_call(&tokens, at) {
                        self.words.insert(path[0].clone());
                    }
                    at = next - 1;
                }
                _ => {}
            }
            at += 1;
        }
    }
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Returns true if the name at a token is that of a function that is called.
fn is_call(tokens: &[TokenTree], at: usize) -> bool {
    let arguments = matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
    arguments && !(at > 0 && tokens[at - 1].to_string() == "fn")
}

fn is_joint(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

fn plain(name: &proc_macro2::Ident) -> String {
    name.to_string().trim_start_matches("r#").into()
}

/// The names of the path that begins at a token, and where it ends.
fn segments(tokens: &[TokenTree], mut at: usize) -> (Segments, usize) {
    let mut path = Segments::new();
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(plain(name));
        at += 1;
        let colons =
            tokens.get(at).is_some_and(is_joint) && tokens.get(at + 1).is_some_and(|token| is(token, ':'));
        if !colons || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// The leaves of a `use`: the name that each has here, and its path.
fn use_tree(tokens: &[TokenTree], prefix: &[String], leaves: &mut Vec<(String, Segments)>) {
    for tree in tokens.split(|token| is(token, ',')) {
        let (path, at) = segments(tree, 0);
        let mut path = [prefix, &path].concat();
        // `self` at the end of a path stands for what is before it.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let rest: Vec<_> = tree[at..].iter().filter(|token| !is(token, ':') && !is(token, '$')).collect();
        match rest[..] {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                use_tree(&group.stream().into_iter().collect::<Vec<_>>(), &path, leaves);
            }
            [star] if is(star, '*') => leaves.push(("*".into(), path)),
            [_, TokenTree::Ident(name)] => leaves.push((plain(name), path)),
            _ => leaves.extend(path.last().cloned().map(|name| (name, path))),
        }
    }
}

fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(plain(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns true if an item with the attribute is built only for the tests beside the code.
fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let text = list.tokens.to_string();
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    list.path.is_ident("cfg")
        && words.clone().any(|word| word == "test")
        && !text.contains("not")
        && !text.starts_with("any")
}

/// The text of an attribute `name = "text"`.
fn text(attribute: &Attribute, name: &str) -> Option<String> {
    let Meta::NameValue(meta) = &attribute.meta else { return None };
    let syn::Expr::Lit(literal) = &meta.value else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    meta.path.is_ident(name).then(|| text.value())
}

/// The first sentence of a file's documentation.
fn first_sentence(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| text(attribute, "doc"));
    let all = lines.collect::<Vec<_>>().join("\n");
    let paragraph = all.split("\n\n").map(str::trim).find(|text| !text.is_empty() && !text.starts_with('#'));
    let words = paragraph.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let end = words.find(". ").map_or(words.len(), |end| end + 1);
    unlinked(&words[..end])
}

/// The text without the brackets and targets of links to code.
fn unlinked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        let (name, after) = link.split_once("`]").unwrap_or((link, ""));
        out += &format!("{before}`{name}`");
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, rest)| rest);
    }
    out + rest
}
