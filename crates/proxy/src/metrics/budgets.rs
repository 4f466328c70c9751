//! What budgets count and hold, as Prometheus reads it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use domain::BudgetRef;
use runtime::metrics::{Collect, Exposition};

use super::table;
use crate::state::ProxyState;

/// Where the answers are.
pub(crate) struct BudgetStates(pub(crate) Arc<ProxyState>);

impl Collect for BudgetStates {
    fn collect(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let counts = self.0.budgets.counts();
        let mut reserves = to.counter(&table::RESERVES)?;
        counts.paths().try_for_each(|(path, count)| reserves.put([path], count))?;
        let mut leases = to.counter(&table::LEASE_COMMANDS)?;
        counts.leases().try_for_each(|(result, count)| leases.put([result], count))?;
        to.counter(&table::BUDGET_OVERRUN)?.put_nanos([], counts.overrun_nanos())?;
        let states = self.0.budgets.states();
        let open = states.iter().filter(|book| book.open).count();
        let mut books = to.gauge(&table::BOOKS)?;
        books.put(["open"], open as f64)?;
        books.put(["closed"], (states.len() - open) as f64)?;
        self.used(to, &states.into_iter().flat_map(|book| book.accounts).collect::<Vec<_>>())
    }
}

impl BudgetStates {
    /// The share of each cap that is granted.
    fn used(&self, to: &mut Exposition<'_>, accounts: &[(BudgetRef, i64, i64)]) -> fmt::Result {
        let Some(snapshot) = self.0.current() else { return Ok(()) };
        let budgets = snapshot.tenants().flat_map(|tenant| tenant.budgets());
        let names: BTreeMap<BudgetRef, (&str, &str)> = budgets
            .map(|budget| {
                let reference = BudgetRef { id: budget.id, generation: budget.generation };
                (reference, (budget.tenant_name.as_str(), budget.name.as_str()))
            })
            .collect();
        let mut used = to.gauge(&table::BUDGET_USED)?;
        let known = accounts.iter().filter_map(|(budget, left, cap)| {
            let (tenant, name) = names.get(budget)?;
            Some(([*tenant, *name], (cap - left) as f64 / (*cap).max(1) as f64))
        });
        let by_name: BTreeMap<[&str; 2], f64> = known.collect();
        by_name
            .into_iter()
            .take(table::BUDGET_USED.most())
            .try_for_each(|(labels, share)| used.put(labels, share))
    }
}
