//! An upper bound of a request's input tokens, from sizes alone.

use crate::facts::RequestFacts;

/// Most tokens an image costs: the dearest documented rule is 2,833 + 5,667 a tile, and an image scaled to
/// fit 2,048 × 2,048 and then to 768 on its short side has at most 8 tiles of 512 × 512.
pub const IMAGE_TOKENS: u64 = 2_833 + 8 * 5_667;
/// Tokens of the frame around an audio part. The sound itself is in the body and needs no term of its own:
/// it costs about 10 tokens a second, while even 8 kbit/s take 1,333 base64 bytes a second.
pub const AUDIO_TOKENS: u64 = 64;
/// Most tokens a file costs. One that is named by id has no size here, so this is the largest context
/// window on offer; callers that know the model's own window should cap the whole bound with it.
pub const FILE_TOKENS: u64 = 1 << 20;
/// Special tokens around one message: role, separators, name.
pub const MESSAGE_TOKENS: u64 = 8;
/// What a provider adds once: the start of the answer and its preamble for tools or a response format.
pub const REQUEST_TOKENS: u64 = 1_024;

/// At most so many input tokens can a body of `body_len` bytes cost.
///
/// Every token of a byte-level BPE vocabulary stands for at least one byte of text, and a JSON string is
/// never shorter than the text it stands for (an escape only lengthens it), so text costs at most
/// `body_len`; a token id of an embeddings request takes a byte at least as well. What costs tokens
/// without bytes is added: frames of messages, media by reference. What the provider fetches by itself
/// (web search, stored prompts) is outside any bound that could be known here.
#[must_use]
pub fn input_bound(facts: &RequestFacts, body_len: usize) -> u64 {
    let terms = [
        (u64::from(facts.messages), MESSAGE_TOKENS),
        (u64::from(facts.images), IMAGE_TOKENS),
        (u64::from(facts.audio), AUDIO_TOKENS),
        (u64::from(facts.files), FILE_TOKENS),
    ];
    let bytes = u64::try_from(body_len).unwrap_or(u64::MAX);
    terms.iter().fold(bytes.saturating_add(REQUEST_TOKENS), |sum, (count, each)| {
        sum.saturating_add(count.saturating_mul(*each))
    })
}
