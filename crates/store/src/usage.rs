//! The usage ledger: every attempt exactly once, hourly sums beside it, and what is asked of both.

mod insert;
mod query;
mod requests;
mod rollup;
mod row;
mod values;

pub(crate) use values::placeholders;

pub use insert::{MAX_ATTEMPTS, MAX_BATCH, check_event};
pub use query::{Dimension, Totals, UsageQuery, UsageRow};
pub use requests::RequestQuery;

#[cfg(test)]
mod tests {
    use domain::{RequestId, ResourceId};
    use sqlx::{AssertSqlSafe, Row};

    use super::*;
    use crate::Store;

    /// How SQLite would go about a statement with `parameters` parameters.
    async fn plan(statement: &str, parameters: usize) -> String {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}/store.db", directory.path().display())).await.unwrap();
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let query = (0..parameters).fold(sqlx::query(explain), |query, _| query.bind(1_i64));
        let rows = query.fetch_all(store.pool()).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn no_question_reads_a_whole_table() {
        for tenant in [None, Some(ResourceId::new())] {
            for request in [None, Some(RequestId::new())] {
                let query = RequestQuery { tenant, request, ..RequestQuery::default() };
                let plan = plan(query.statement(), 4).await;
                assert!(!plan.contains("SCAN usage"), "{plan}");
                let index = if tenant.is_some() && request.is_none() { "by_tenant" } else { "autoindex" };
                assert!(plan.contains(index), "{plan}");
            }
            let query = UsageQuery {
                tenants: tenant.into_iter().collect(),
                group_by: vec![Dimension::Model],
                ..UsageQuery::default()
            };
            let plan = plan(&query.statement(), 4).await;
            let index =
                if tenant.is_some() { "usage_rollup_by_tenant (tenant_id=? AND hour" } else { "(hour" };
            assert!(plan.contains(index) && !plan.contains("SCAN usage"), "{plan}");
        }
    }
}
