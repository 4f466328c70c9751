//! A model of the catalogue as the API shows it.

use admin_api::CatalogueItem;
use domain::Timestamp;
use store::CatalogueModel;

/// The model, with the price in force at `now`.
pub(super) fn catalogue_item(found: CatalogueModel, now: Timestamp) -> CatalogueItem {
    let CatalogueModel { model, facts, prices } = found;
    let price = prices.iter().find(|price| price.effective_from <= now).cloned();
    CatalogueItem { model, facts, price, prices }
}
