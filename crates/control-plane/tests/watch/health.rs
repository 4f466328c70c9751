//! Reports of health: from whom they are taken, and how long they are kept.

use proto::v1::{HealthReport, TargetHealth};
use tonic::{Code, Request};

use crate::fixture::Plane;

async fn report(plane: &Plane, proxy: &str, jwt: Option<&str>, report: HealthReport) -> Code {
    let mut request = Request::new(HealthReport { proxy: proxy.to_owned(), ..report });
    if let Some(jwt) = jwt {
        request.metadata_mut().insert("authorization", format!("Bearer {jwt}").parse().unwrap());
    }
    plane.client().await.report_health(request).await.err().map_or(Code::Ok, |status| status.code())
}

fn reporting(plane: &Plane) -> usize {
    plane.proxies.health.live_view(None, 0, 0).1
}

#[tokio::test]
async fn a_proxy_reports_in_its_own_name_and_what_makes_sense() {
    let plane = Plane::start().await;
    let (jwt, nothing) = (plane.join("p1").await, HealthReport::default());
    assert_eq!(report(&plane, "p1", None, nothing.clone()).await, Code::Unauthenticated);
    assert_eq!(report(&plane, "p1", Some("e30.e30."), nothing.clone()).await, Code::Unauthenticated);
    assert_eq!(report(&plane, "p2", Some(&jwt), nothing.clone()).await, Code::PermissionDenied);
    assert_eq!(report(&plane, "", Some(&jwt), nothing.clone()).await, Code::InvalidArgument);
    let senseless = HealthReport { targets: vec![TargetHealth::default()], ..nothing.clone() };
    assert_eq!(report(&plane, "p1", Some(&jwt), senseless).await, Code::InvalidArgument);
    let model = "m".repeat(proto::MAX_HEALTH_REPORT);
    let vast =
        HealthReport { targets: vec![TargetHealth { model, ..TargetHealth::default() }], ..nothing.clone() };
    assert_ne!(report(&plane, "p1", Some(&jwt), vast).await, Code::Ok);
    assert_eq!(reporting(&plane), 0);
    assert_eq!(report(&plane, "p1", Some(&jwt), nothing).await, Code::Ok);
    assert_eq!(reporting(&plane), 1);
}

#[tokio::test]
async fn what_a_proxy_reported_goes_with_its_last_stream() {
    let plane = Plane::start().await;
    plane.put(&["a"]).await;
    let mut streams = [plane.watch("p1", None).await, plane.watch("p1", None).await];
    for stream in &mut streams {
        stream.snapshot().await;
    }
    let jwt = plane.join("p1").await;
    assert_eq!(report(&plane, "p1", Some(&jwt), HealthReport::default()).await, Code::Ok);
    let [first, second] = streams;
    drop(first);
    plane.until(|list| list.len() == 1).await;
    assert_eq!(reporting(&plane), 1, "it reconnected before the old stream was gone");
    drop(second);
    plane.until(|_| reporting(&plane) == 0).await;
}
