//! Base64 in either alphabet, as Google accepts it.

/// Google takes both alphabets of base64, padded or not.
pub(super) fn standard(data: &str) -> String {
    let mut data = data.trim_end_matches('=').replace('-', "+").replace('_', "/");
    data.extend(std::iter::repeat_n('=', (4 - data.len() % 4) % 4));
    data
}
