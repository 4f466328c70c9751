//! No room for spool and snapshot: new requests are refused, what was answered is kept, and it goes on with room.

use std::{collections::BTreeSet, process::Command};

use serde_json::json;
use testkit::{Http, Process, binary, eventually};

use crate::world::{SOON, World, admin, apply, chat, client, ledger_requests, secrets};

/// The disk of one process is full, or is not: no file of it may grow, which fails writes as a full disk does.
fn set_full(process: &Process, full: bool) {
    let size = if full { "--fsize=0:" } else { "--fsize=unlimited:" };
    let status = Command::new("prlimit").args(["--pid", &process.id().to_string(), size]).status().unwrap();
    assert!(status.success(), "prlimit: {status}");
}

/// A proxy that sees such a failure as an error: by default the signal that comes with it ends a process.
fn proxy(world: &World, grpc: &str) -> Process {
    let binary = binary("portcullis-proxy").unwrap();
    let script = ["-c", r#"trap '' XFSZ; exec "$0" "$@""#, binary.to_str().unwrap()].map(str::to_owned);
    let args = script.into_iter().chain(world.proxy_args(grpc, "proxy-1", &[]));
    Process::spawn("/bin/sh".as_ref(), args, &secrets()).unwrap()
}

/// The id of a request that was answered.
fn answered(http: &Http) -> String {
    let reply = http.post("/v1/chat/completions", &chat("hi")).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-portcullis-request-id").unwrap().to_owned()
}

#[test]
fn a_full_disk_refuses_new_requests_and_loses_none_that_was_answered() {
    let world = World::new();
    let mut control = world.control_plane(None);
    let grpc = control.ready().grpc.clone().unwrap();
    let key = apply(&admin(&control), &world.document()).unwrap();
    let mut process = proxy(&world, &grpc);
    let http = client(&process, &key);
    assert!(eventually(SOON, || world.path("proxy-1/snapshot/current.pcs").exists()));
    let mut done = BTreeSet::from([answered(&http)]);
    // The ledger is away for a while, so that the spool alone holds what was answered.
    control.kill9().unwrap();
    done.extend((0..5).map(|_| answered(&http)));

    set_full(&process, true);
    for _ in 0..3 {
        let refused = http.post("/v1/chat/completions", &chat("hi")).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.text());
        assert_eq!(refused.json().unwrap()["error"]["code"], json!("store_unavailable"));
        assert!(refused.text().contains("usage cannot be recorded"), "{}", refused.text());
    }
    assert!(eventually(SOON, || process.stderr().contains("cannot spool an intent; the request is refused")));
    // Configuration needs no disk to be in force.
    control = world.control_plane(Some(&control));
    let mut second = world.document();
    second["routes"]["second"] = json!({ "targets": ["sim/m"] });
    apply(&admin(&control), &second);
    assert!(eventually(SOON, || http.get("/v1/models").unwrap().text().contains("second")));
    assert!(eventually(SOON, || process.stderr().contains("cannot write the snapshot file")));

    set_full(&process, false);
    assert!(eventually(SOON, || http.post("/v1/chat/completions", &chat("hi")).unwrap().status == 200));
    process.kill9().unwrap();
    let process = proxy(&world, &grpc);
    done.insert(answered(&client(&process, &key)));
    let admin = admin(&control);
    // One more than counted: the first that was answered again.
    assert!(eventually(SOON, || ledger_requests(&admin).len() > done.len()), "usage is missing");
    let requests = ledger_requests(&admin);
    let ids: BTreeSet<_> =
        requests.iter().map(|request| request["request_id"].as_str().unwrap().to_owned()).collect();
    assert!(done.is_subset(&ids), "answered requests are missing");
    assert_eq!((ids.len(), requests.len()), (done.len() + 1, done.len() + 1), "something is there twice");
}
