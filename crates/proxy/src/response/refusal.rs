//! A request that ends in an error, on its way to the one place where that becomes a response.

use http::Response;

use super::{body::ResponseBody, metadata::ResponseMetadata, render::error_response};
use crate::{context::RequestContext, error::GatewayError};

/// Why a request ends, and how much was known of it by then.
pub(crate) enum Refusal {
    /// It was refused before anything was accounted for.
    Early(GatewayError),
    /// It has an account, which is settled, and of which the response's headers tell.
    Accounted { error: GatewayError, metadata: Box<ResponseMetadata> },
}

impl From<GatewayError> for Refusal {
    fn from(error: GatewayError) -> Self {
        Self::Early(error)
    }
}

impl Refusal {
    /// Reports how the request ended, where its account has not done so, and renders the response.
    pub(crate) fn into_response(self, context: &mut RequestContext) -> Response<ResponseBody> {
        match self {
            Self::Early(error) => {
                context.refused(&error, None);
                let overhead = context.started.elapsed();
                error_response(&error, ResponseMetadata::new(context.id, context.dialect, overhead))
            }
            Self::Accounted { error, metadata } => error_response(&error, *metadata),
        }
    }
}
