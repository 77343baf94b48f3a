use super::super::command;
use super::*;
use crate::config::Given;
use crate::config::arguments::{Arguments, Command};
use crate::config::{ConfigError, Outside};
use clap::Parser;

const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A scratch directory with a server.properties of two log dirs, `a` and `b`.
struct Scene {
    dir: tempfile::TempDir,
    extra: &'static str,
}

impl Scene {
    fn new(extra: &'static str) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), extra }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let dirs = format!("{},{}", self.path("a").display(), self.path("b").display());
        let text = format!("listeners=PLAINTEXT://:9092,CONTROLLER://:9093\nlog.dirs={dirs}\n{}", self.extra);
        Given { file: Some((self.path("server.properties"), text.into_bytes())), overrides: vec![] }
            .config(&Outside::NOTHING)
    }

    /// Runs `corelog storage ARGS -c server.properties`.
    fn run(&self, arguments: &str) -> Result<String, String> {
        let line = format!("corelog storage {arguments} -c server.properties");
        let Some(Command::Storage(command)) = Arguments::parse_from(line.split_whitespace()).command else {
            panic!("{line}");
        };
        let done = command::run(&command, &|_| self.load(), TimestampMs(1_700_000_000_000));
        if done.success { Ok(done.text) } else { Err(done.text) }
    }

    fn meta(&self, name: &str) -> MetaProperties {
        read_meta(&self.path(name)).unwrap()
    }
}

#[test]
fn format_writes_what_kafka_writes_and_says_so() {
    let scene = Scene::new("");
    let (a, b) = (scene.path("a"), scene.path("b"));
    let said = scene.run(&format!("format -t {CLUSTER} --standalone")).unwrap();
    let metadata =
        format!("Formatting dynamic metadata voter directory {} with metadata.version 4.3-IV0.", a.display());
    let data = format!("Formatting data directory {} with metadata.version 4.3-IV0.", b.display());
    assert_eq!(said, format!("{metadata}\n{data}"));
    for dir in [&a, &b] {
        assert!(dir.join("meta.properties").exists() && dir.join("bootstrap.checkpoint").exists());
    }
    assert!(a.join("__cluster_metadata-0/00000000000000000000-0000000000.checkpoint").exists());
    assert!(!b.join("__cluster_metadata-0").exists());
    let (meta_a, meta_b) = (scene.meta("a"), scene.meta("b"));
    assert_eq!((meta_a.cluster_id.as_str(), meta_a.node_id), (CLUSTER, 1));
    assert!(meta_a.directory_id.is_some() && meta_a.directory_id != meta_b.directory_id);
}

#[test]
fn with_voters_in_the_file_none_are_written() {
    let scene = Scene::new("controller.quorum.voters=1@localhost:9093\n");
    let said = scene.run(&format!("format -t {CLUSTER} -r 4.0")).unwrap();
    assert!(said.contains("Formatting metadata directory") && said.contains("4.0-IV3"), "{said}");
    assert!(!scene.path("a/__cluster_metadata-0").exists());
    let told = Scene::new("controller.quorum.voters=1@h:1\n").run(&format!("format -t {CLUSTER} -s")).unwrap_err();
    assert!(told.starts_with("You cannot specify controller.quorum.voters"), "{told}");
}

#[test]
fn the_voters_must_be_said() {
    let scene = Scene::new("controller.quorum.bootstrap.servers=localhost:9093\n");
    let told = scene.run(&format!("format -t {CLUSTER}")).unwrap_err();
    assert!(told.starts_with("Because controller.quorum.voters is not set on this controller"), "{told}");
    assert!(!scene.path("a").exists(), "nothing is begun that cannot be finished");
    let told = scene.run(&format!("format -t {CLUSTER} -s -f kraft.version=0")).unwrap_err();
    assert!(told.starts_with("Cannot set kraft.version to 0"), "{told}");
    assert!(scene.run(&format!("format -t {CLUSTER} -N")).is_ok());
}

#[test]
fn formatted_directories_are_refused_or_passed_over() {
    let scene = Scene::new("");
    scene.run(&format!("format -t {CLUSTER} -s")).unwrap();
    let before = scene.meta("a");
    let told = scene.run(&format!("format -t {CLUSTER} -s")).unwrap_err();
    assert_eq!(
        told,
        format!(
            "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format the \
             others.",
            scene.path("a").display()
        )
    );
    let said = scene.run(&format!("format -t {CLUSTER} -s -g")).unwrap();
    assert_eq!(said, "All of the log directories are already formatted.");
    std::fs::remove_dir_all(scene.path("b")).unwrap();
    let said = scene.run(&format!("format -t {CLUSTER} -s -g")).unwrap();
    assert!(said.starts_with("Formatting data directory") && !said.contains('\n'), "{said}");
    assert_eq!(scene.meta("a"), before);
    std::fs::remove_dir_all(scene.path("b")).unwrap();
    let told = scene.run("format -t other -s -g").unwrap_err();
    assert!(
        told.starts_with("Invalid cluster.id in: ")
            && told.ends_with("Expected other, but read MkU3OEVBNTcwNTJENDM2Qg"),
        "{told}"
    );
}

#[test]
fn a_directory_with_topics_is_not_formatted() {
    let scene = Scene::new("");
    std::fs::create_dir_all(scene.path("b/precious-0")).unwrap();
    let told = scene.run(&format!("format -t {CLUSTER} -s")).unwrap_err();
    assert!(told.contains("holds topic directories"), "{told}");
    assert!(!scene.path("a").exists() && !scene.path("b/meta.properties").exists());
}

#[test]
fn initial_controllers_give_this_node_its_directory_id() {
    let scene = Scene::new("controller.quorum.bootstrap.servers=localhost:9093\n");
    let own = "JEXY6aqzQY-32P5TStzaFg";
    for (text, why) in [
        (format!("2@h:1:{own}"), "node 1 is none of them"),
        ("1@h:1".into(), "id@host:port:directory"),
        ("1@h:1:short".into(), "id@host:port:directory"),
        (format!("1@:1:{own}"), "id@host:port:directory"),
        (format!("1@h:1:{own},1@h:2:{own}"), "twice"),
    ] {
        let told = scene.run(&format!("format -t {CLUSTER} -I {text}")).unwrap_err();
        assert!(told.contains(why), "{text}: {told}");
    }
    scene.run(&format!("format -t {CLUSTER} -I 1@[::1]:9093:{own},2@h:1:{CLUSTER}")).unwrap();
    assert_eq!(scene.meta("a").directory_id.unwrap().to_string(), own);
    assert_ne!(scene.meta("b").directory_id.unwrap().to_string(), own);
}

#[test]
fn info_tells_directories_metadata_and_problems_as_kafka_does() {
    let scene = Scene::new("");
    let (a, b) = (scene.path("a"), scene.path("b"));
    let told = scene.run("info").unwrap_err();
    assert_eq!(told, format!("Found problems:\n  {} does not exist\n  {} does not exist", a.display(), b.display()));
    scene.run(&format!("format -t {CLUSTER} -s")).unwrap();
    let said = scene.run("info").unwrap();
    assert_eq!(
        said,
        format!("Found log directories:\n  {}\n  {}\n\nFound metadata: {}", a.display(), b.display(), scene.meta("a"))
    );
    std::fs::write(b.join("meta.properties"), "version=1\ncluster.id=other\nnode.id=1\n").unwrap();
    assert!(scene.run("info").unwrap_err().contains("belongs to another cluster"));
    std::fs::remove_file(b.join("meta.properties")).unwrap();
    assert!(scene.run("info").unwrap_err().ends_with("is not formatted."));
}

#[test]
fn random_uuids_differ_and_are_22_characters() {
    let scene = Scene::new("");
    let line = "corelog storage random-uuid";
    let Some(Command::Storage(command)) = Arguments::parse_from(line.split_whitespace()).command else { panic!() };
    let draw = || command::run(&command, &|_| scene.load(), TimestampMs(0)).text;
    let (one, two) = (draw(), draw());
    assert!(one.len() == 22 && one != two && Uuid::parse(&one).is_some(), "{one} {two}");
}

#[test]
fn scram_credentials_need_a_metadata_version_that_has_them() {
    let scene = Scene::new("");
    let told = scene.run(&format!("format -t {CLUSTER} -s -r 3.4 -S SCRAM-SHA-256=[name=a,password=b]")).unwrap_err();
    assert!(told.contains("3.5-IV2"), "{told}");
    assert!(scene.run(&format!("format -t {CLUSTER} -s -S SCRAM-SHA-256=[name=a,password=b]")).is_ok());
}
