//! Writes the Rust of the messages: a module a message, in it a struct with its default, reader and writer.

use std::collections::HashMap;
use std::fmt::Write;

use super::conditions::Condition;
use super::names;
use super::schema::{Field, Message};
use super::types::View;
use super::versions::Versions;

const MODULE_IMPORTS: &str = "    use crate::protocol::generated::*;\n";

/// The text of `messages.rs`.
pub fn messages(messages: &[Message]) -> String {
    let mut out = String::new();
    for message in messages {
        let module = names::snake(&message.name);
        let _ = write!(out, "/// The {} `{}`, versions ", message.kind, message.name);
        let _ = writeln!(out, "{} to {}.", message.versions.low, message.versions.high);
        let _ = writeln!(out, "pub mod {module} {{\n{MODULE_IMPORTS}");
        Emitter::new(message).emit(&mut out);
        let _ = writeln!(out, "}}\npub use {module}::{};\n", message.name);
    }
    catalog(messages, &mut out);
    out
}

fn catalog(messages: &[Message], out: &mut String) {
    out.push_str("/// Every message, by name; for tools and tests that go through all of them.\n");
    out.push_str("pub const CATALOG: &[crate::protocol::CatalogEntry] = &[\n");
    for message in messages {
        let kind: String = message.kind.split('-').map(capitalized).collect();
        let _ = writeln!(
            out,
            "    crate::protocol::CatalogEntry::of::<{}>(crate::protocol::MessageKind::{kind}),",
            message.name
        );
    }
    out.push_str("];\n");
}

fn capitalized(word: &str) -> String {
    word[..1].to_ascii_uppercase() + &word[1..]
}

/// A struct to write: where it is declared and in which versions it occurs.
struct Struct<'a> {
    name: &'a str,
    fields: &'a [Field],
    context: Versions,
}

struct Emitter<'a> {
    message: &'a Message,
    structs: Vec<Struct<'a>>,
    min_sizes: HashMap<&'a str, usize>,
}

impl<'a> Emitter<'a> {
    fn new(message: &'a Message) -> Self {
        let mut structs = Vec::new();
        for shared in &message.shared {
            let context = shared.versions.intersect(message.versions);
            collect(&shared.name, &shared.fields, context, &mut structs);
        }
        collect(&message.name, &message.fields, message.versions, &mut structs);
        let mut emitter = Self { message, structs, min_sizes: HashMap::new() };
        for at in 0..emitter.structs.len() {
            emitter.measure(emitter.structs[at].name);
        }
        emitter
    }

    fn emit(&self, out: &mut String) {
        for it in &self.structs {
            self.declaration(it, out);
            self.default(it, out);
            let _ = writeln!(out, "    impl Element for {} {{", it.name);
            let _ = writeln!(out, "        const MIN_SIZE: usize = {};", self.min_sizes[it.name]);
            self.reader(it, out);
            self.writer(it, out);
            self.errors(it, out);
            out.push_str("    }\n\n");
        }
        let flexible =
            if self.message.flexible.is_empty() { "i16::MAX".into() } else { self.message.flexible.low.to_string() };
        let _ = writeln!(out, "    impl Message for {} {{", self.message.name);
        let _ = writeln!(out, "        const NAME: &'static str = \"{}\";", self.message.name);
        let _ = writeln!(out, "        const KEY: i16 = {};", self.message.key);
        let Versions { low, high } = self.message.versions;
        let _ = writeln!(out, "        const VERSIONS: std::ops::RangeInclusive<i16> = {low}..={high};");
        let _ = writeln!(out, "        const FLEXIBLE: i16 = {flexible};\n    }}");
    }

    fn view<'f>(&self, it: &Struct<'_>, field: &'f Field) -> View<'f> {
        View { field, lazy: self.message.lazy, response: self.message.kind == "response", context: it.context }
    }

    fn declaration(&self, it: &Struct<'_>, out: &mut String) {
        if it.name == self.message.name {
            let _ = writeln!(out, "    /// {} `{}`.", capitalized(&self.message.kind), it.name);
        } else {
            let _ = writeln!(out, "    /// `{}` inside `{}`.", it.name, self.message.name);
        }
        let derived = if self.has_special_default(it) { "" } else { ", Default" };
        let _ = writeln!(out, "    #[derive(Clone, Debug, PartialEq{derived})]\n    pub struct {} {{", it.name);
        for field in it.fields {
            let _ = writeln!(out, "        /// {}", describe(field));
            let _ = writeln!(out, "        pub {}: {},", names::field(&field.name), self.view(it, field).rust_type());
        }
        out.push_str("    }\n");
    }

    fn has_special_default(&self, it: &Struct<'_>) -> bool {
        it.fields.iter().any(|field| self.view(it, field).special_default().is_some())
    }

    fn default(&self, it: &Struct<'_>, out: &mut String) {
        if !self.has_special_default(it) {
            return;
        }
        let _ =
            writeln!(out, "    impl Default for {} {{\n        fn default() -> Self {{\n            Self {{", it.name);
        for field in it.fields {
            let _ = writeln!(out, "                {}: {},", names::field(&field.name), self.view(it, field).default());
        }
        out.push_str("            }\n        }\n    }\n");
    }

    fn reader(&self, it: &Struct<'_>, out: &mut String) {
        let mut body = String::new();
        let mut tags = String::new();
        for field in it.fields {
            let view = self.view(it, field);
            let name = names::field(&field.name);
            let condition = field.versions.condition(it.context);
            if let Some(tag) = field.tag {
                let _ = writeln!(body, "                {name}: {},", view.default());
                let guard = match &condition {
                    Condition::Always => String::new(),
                    other => format!(" if {}", other.text()),
                };
                let _ = writeln!(tags, "                {tag}{guard} => it.{name} = {},", view.read());
                continue;
            }
            let value = match condition {
                Condition::Always => view.read(),
                Condition::Never => view.default(),
                Condition::When(text) => format!("if {text} {{ {} }} else {{ {} }}", view.read(), view.default()),
            };
            let _ = writeln!(body, "                {name}: {value},");
        }
        let d = if body.is_empty() && self.never_flexible(it) { "_d" } else { "d" };
        let version = used("v", &[&body, &tags]);
        let _ = writeln!(out, "        fn read({d}: &mut Decoder, {version}: i16) -> Result<Self, DecodeError> {{");
        let mutable = if tags.is_empty() { "" } else { "mut " };
        let _ = writeln!(out, "            let {mutable}it = Self {{\n{body}            }};");
        if !tags.is_empty() {
            let _ = writeln!(
                out,
                "            let mut tags = d.tags()?;\n            while let Some(tag) = tags.next(d)? {{\n                match tag {{\n{tags}                _ => tags.skip(d)?,\n                }}\n            }}"
            );
        } else if !self.never_flexible(it) {
            out.push_str("            d.skip_tags()?;\n");
        }
        out.push_str("            Ok(it)\n        }\n");
    }

    fn never_flexible(&self, it: &Struct<'_>) -> bool {
        self.message.flexible.intersect(it.context).is_empty()
    }

    fn writer(&self, it: &Struct<'_>, out: &mut String) {
        let mut body = String::new();
        let mut tagged: Vec<&Field> = Vec::new();
        for field in it.fields {
            let view = self.view(it, field);
            let place = format!("self.{}", names::field(&field.name));
            let condition = field.versions.condition(it.context);
            let lacks = if field.ignorable || condition == Condition::Always {
                None
            } else {
                let name = format!("{}.{}", it.name, field.name);
                Some((view.differs(&place), format!("{{ return Err(lacks(\"{name}\", v)); }}")))
            };
            if field.tag.is_some() {
                tagged.push(field);
                if let (Some((differs, refuse)), Some(outside)) = (&lacks, field.versions.outside(it.context)) {
                    let _ = writeln!(body, "            if {outside} && {differs} {refuse}");
                }
                continue;
            }
            let write = statement(&view, &place);
            match (condition, lacks) {
                (Condition::Always, _) => writeln!(body, "            {write}"),
                (Condition::Never, Some((differs, refuse))) => writeln!(body, "            if {differs} {refuse}"),
                (Condition::Never, None) => Ok(()),
                (Condition::When(text), None) => writeln!(body, "            if {text} {{ {write} }}"),
                (Condition::When(text), Some((differs, refuse))) => {
                    writeln!(body, "            if {text} {{ {write} }} else if {differs} {refuse}")
                }
            }
            .expect("write to a string");
        }
        self.tag_writer(it, tagged, &mut body);
        let e = used("e", &[&body]);
        let version = used("v", &[&body]);
        let _ = writeln!(
            out,
            "        fn write(&self, {e}: &mut Encoder, {version}: i16) -> Result<(), EncodeError> {{\n{body}            Ok(())\n        }}"
        );
    }

    /// Tells of the error codes in a response, so that errors can be counted; nothing where it can have none.
    fn errors(&self, it: &Struct<'_>, out: &mut String) {
        if !self.has_errors(it) {
            return;
        }
        let mut body = String::new();
        for field in it.fields {
            let place = format!("self.{}", names::field(&field.name));
            if is_error_code(field) {
                let _ = writeln!(body, "            if {place} != 0 {{ told({place}); }}");
                continue;
            }
            let inner = self.structs.iter().find(|inner| field.is_struct() && inner.name == field.ty);
            if inner.is_some_and(|inner| self.has_errors(inner)) {
                let optional = self.view(it, field).rust_type().starts_with("Option");
                let each = match (field.array, optional) {
                    (true, true) => format!("{place}.iter().flatten()"),
                    (true, false) => format!("&{place}"),
                    (false, true) => format!("&{place}"),
                    (false, false) => format!("std::iter::once(&{place})"),
                };
                let _ = writeln!(body, "            for it in {each} {{ it.errors(told); }}");
            }
        }
        let _ = writeln!(out, "        fn errors(&self, told: &mut dyn FnMut(i16)) {{\n{body}        }}");
    }

    fn has_errors(&self, it: &Struct<'_>) -> bool {
        let inner = |field: &Field| self.structs.iter().find(|inner| field.is_struct() && inner.name == field.ty);
        self.message.kind == "response"
            && it.fields.iter().any(|f| is_error_code(f) || inner(f).is_some_and(|inner| self.has_errors(inner)))
    }

    fn tag_writer(&self, it: &Struct<'_>, mut tagged: Vec<&Field>, body: &mut String) {
        if tagged.is_empty() {
            if !self.never_flexible(it) {
                body.push_str("            e.no_tags();\n");
            }
            return;
        }
        tagged.sort_by_key(|field| field.tag);
        let mut writes = String::new();
        let mut names = Vec::new();
        body.push_str("            if e.flexible() {\n");
        for field in tagged {
            let view = self.view(it, field);
            let place = format!("self.{}", names::field(&field.name));
            let tag = field.tag.unwrap_or_default();
            let present = match field.versions.condition(it.context) {
                Condition::When(text) => format!("{text} && {}", view.differs(&place)),
                _ => view.differs(&place),
            };
            let _ = writeln!(body, "                let tag_{tag} = {present};");
            let statement = statement(&view, &place);
            let _ = writeln!(
                writes,
                "                if tag_{tag} {{ e.tag({tag}, &mut |e| {{ {statement} Ok(()) }})?; }}"
            );
            names.push(format!("u32::from(tag_{tag})"));
        }
        let _ = writeln!(body, "                e.tag_count({});\n{writes}            }}", names.join(" + "));
    }

    fn measure(&mut self, name: &'a str) -> usize {
        if let Some(&size) = self.min_sizes.get(name) {
            return size;
        }
        let at = self.structs.iter().position(|it| it.name == name).expect(name);
        let Struct { fields, context, .. } = self.structs[at];
        let mut inner = HashMap::new();
        for field in fields.iter().filter(|field| field.is_struct() && !field.array) {
            inner.insert(field.ty.as_str(), self.measure(&field.ty));
        }
        let size_in = |version: i16| {
            let flexible = self.message.flexible.contains(version);
            let present = fields.iter().filter(|f| f.versions.contains(version) && f.tag.is_none());
            let it = &self.structs[at];
            present.map(|f| self.view(it, f).min_size(flexible, |name| inner[name])).sum::<usize>()
                + usize::from(flexible)
        };
        let size = (context.low..=context.high).map(size_in).min().unwrap_or(0);
        self.min_sizes.insert(name, size);
        size
    }
}

/// Declares inner structs before the ones around them.
fn collect<'a>(name: &'a str, fields: &'a [Field], context: Versions, out: &mut Vec<Struct<'a>>) {
    for field in fields.iter().filter(|field| !field.fields.is_empty()) {
        collect(&field.ty, &field.fields, context.intersect(field.versions), out);
    }
    assert!(out.iter().all(|other| other.name != name), "struct {name} declared twice");
    out.push(Struct { name, fields, context });
}

fn is_error_code(field: &Field) -> bool {
    field.ty == "int16" && !field.array && field.name.ends_with("ErrorCode")
}

fn statement(view: &View<'_>, place: &str) -> String {
    let question = if view.infallible() { "" } else { "?" };
    format!("{}{question};", view.write(place))
}

/// `name`, or `_name` where no text uses it.
fn used(name: &str, texts: &[&str]) -> String {
    let uses = |text: &&str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
    if texts.iter().any(uses) { name.to_string() } else { format!("_{name}") }
}

fn describe(field: &Field) -> String {
    let mut text = format!("{}{}, version", if field.array { "array of " } else { "" }, field.ty);
    let Versions { low, high } = field.versions;
    text.push_str(&match high {
        i16::MAX => format!("s {low}+"),
        high if high == low => format!(" {low}"),
        high => format!("s {low} to {high}"),
    });
    if let Some(tag) = field.tag {
        let _ = write!(text, ", tag {tag}");
    }
    text + "."
}
