//! A finished attempt that may yet answer the client.

/// An attempt with a response that was not accepted and may yet go to the client.
pub(crate) struct AttemptRef {
    /// Its index among the request's attempts.
    pub(super) attempt: usize,
    /// Fields that its target could not express and the client let go.
    pub(super) dropped: Vec<String>,
}
