//! A database that cannot be used, or secrets that are missing: one line, exit 64, never the password.

use std::process::{Command, Output};

use testkit::{MASTER_KEY, POSTGRES_PASSWORD, Postgres, binary};

use crate::fleet::{alone, environment};

fn run(name: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary(name).unwrap());
    let any = ["--grpc-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
    command.args(args).env_clear().envs(env.iter().copied());
    if args != ["migrate"] {
        command.args(any);
    }
    if name != "portcullis-ledger" && args != ["migrate"] {
        command.args(["--admin-listen", "127.0.0.1:0"]);
    }
    command.output().unwrap()
}

/// The one line of a start that must fail.
fn refused(name: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let output = run(name, args, env);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    assert!(!stderr.contains(POSTGRES_PASSWORD) && !stderr.contains("panicked"), "{stderr}");
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with("portcullis: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    lines[0].to_owned()
}

#[test]
fn unreachable_and_wrong_databases() {
    let _turn = alone();
    let mut postgres = Postgres::start().unwrap();
    let nowhere = postgres.url_of("nowhere");
    let url = postgres.url();
    for (name, args) in
        [("portcullis-control-plane", &[][..]), ("portcullis-ledger", &[]), ("portcullis", &["migrate"])]
    {
        let line = refused(name, args, &environment(&nowhere));
        assert!(line.contains("--database-url") && line.contains("nowhere"), "{line}");
        let line = refused(name, args, &environment("mysql://u:pg-canary-6f1d0c27@h/d"));
        assert!(line.contains("--database-url") && line.contains("postgres://"), "{line}");
    }
    postgres.stop().unwrap();
    let line = refused("portcullis-ledger", &[], &environment(&url));
    assert!(line.contains("--database-url") && line.contains("cannot be reached"), "{line}");
}

#[test]
fn secrets_that_a_fleet_shares_are_not_made_up() {
    let _turn = alone();
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let all = environment(&url);
    for (missing, named) in [
        ("PORTCULLIS_MASTER_KEY", "PORTCULLIS_MASTER_KEY"),
        ("PORTCULLIS_ADMIN_TOKEN", "--admin-token"),
        ("PORTCULLIS_JOIN_TOKEN", "--join-token"),
    ] {
        let env: Vec<_> = all.iter().copied().filter(|(name, _)| *name != missing).collect();
        let line = refused("portcullis-control-plane", &[], &env);
        assert!(line.contains(named) && line.contains("must be set"), "{line}");
    }
    let line = refused("portcullis-ledger", &[], &[("PORTCULLIS_DATABASE_URL", &url)]);
    assert!(line.contains("PORTCULLIS_MASTER_KEY"), "{line}");
    let output = run("portcullis-ledger", &[], &[("PORTCULLIS_MASTER_KEY", MASTER_KEY)]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--database-url"));
}

#[test]
fn migrate_applies_once_and_says_nothing_wrong_the_second_time() {
    let _turn = alone();
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    for _ in 0..2 {
        let output = run("portcullis", &["migrate"], &[("PORTCULLIS_DATABASE_URL", &url)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8(output.stderr).unwrap().contains(POSTGRES_PASSWORD));
    }
}
