//! What the simulator answers, as documented functions of the request: tests compute the same to know what is right.

use aws_lc_rs::digest;

/// Longest answer, in bytes; it is cut there with the finish reason `length`.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Most chunks of an answer, where a script sets no number.
pub const MAX_DEFAULT_CHUNKS: usize = 256;
/// Length of an embedding when the request names none.
pub const DEFAULT_DIMENSIONS: usize = 64;

/// Tokens of a text: a quarter of its UTF-8 bytes, rounded up.
pub fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// The answer to the last user message.
pub fn answer(last_user_message: &str) -> String {
    format!("echo: {last_user_message}")
}

/// The answer as content chunks.
///
/// Without a number they are the answer's words, each with the white space after it, in equal groups when there
/// are more than [`MAX_DEFAULT_CHUNKS`]; joined they are the answer. With a number, exactly so many words come, from
/// the first again after the last, a space added to those that have none after them.
pub fn chunks(answer: &str, number: Option<usize>) -> Vec<String> {
    let words: Vec<&str> = answer.split_inclusive(char::is_whitespace).collect();
    let Some(number) = number else {
        let group = words.len().div_ceil(MAX_DEFAULT_CHUNKS).max(1);
        return words.chunks(group).map(<[&str]>::concat).collect();
    };
    let spaced = |word: &&str| match word.ends_with(char::is_whitespace) {
        true => (*word).to_owned(),
        false => format!("{word} "),
    };
    words.iter().cycle().take(number).map(spaced).collect()
}

/// Cuts chunks to `limit` bytes at a character boundary; true when something was cut.
pub fn truncate(chunks: &mut Vec<String>, limit: usize) -> bool {
    let mut left = limit;
    for index in 0..chunks.len() {
        let chunk = &mut chunks[index];
        if chunk.len() > left {
            chunk.truncate(chunk.floor_char_boundary(left));
            let keep = if chunk.is_empty() { index } else { index + 1 };
            chunks.truncate(keep);
            return true;
        }
        left -= chunk.len();
    }
    false
}

/// The embedding of an input: a unit vector; its direction follows from the SHA-256 of the input's bytes.
///
/// The first eight bytes of the digest, big-endian, seed SplitMix64; each component is one output scaled to [-1, 1).
pub fn embedding(input: &[u8], dimensions: usize) -> Vec<f32> {
    let hash = digest::digest(&digest::SHA256, input);
    let mut state = hash.as_ref().iter().take(8).fold(0u64, |seed, byte| (seed << 8) | u64::from(*byte));
    let raw: Vec<f64> = (0..dimensions).map(|_| component(&mut state)).collect();
    let norm = raw.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation)] // f32 is what the API carries
    raw.into_iter().map(|x| (x / norm) as f32).collect()
}

fn component(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    // 53 bits are what a double holds exactly.
    (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_chunks_join_to_the_answer() {
        let text = answer("grüße  an\nalle 👋🏽 ");
        assert_eq!(chunks(&text, None).concat(), text);
        let long = "a ".repeat(1000);
        let pieces = chunks(&long, None);
        assert!(pieces.len() <= MAX_DEFAULT_CHUNKS, "{}", pieces.len());
        assert_eq!(pieces.concat(), long);
    }

    #[test]
    fn a_number_of_chunks_is_met_exactly() {
        assert_eq!(chunks("echo: hi", Some(5)).concat(), "echo: hi echo: hi echo: ");
        assert_eq!(chunks("echo: hi", Some(0)), Vec::<String>::new());
    }

    #[test]
    fn truncation_respects_characters() {
        let mut pieces = vec!["ab".to_owned(), "é".to_owned()];
        assert!(truncate(&mut pieces, 3));
        assert_eq!(pieces, ["ab"]);
        let mut fits = vec!["ab".to_owned()];
        assert!(!truncate(&mut fits, 2));
    }

    #[test]
    fn embeddings_are_unit_vectors_that_follow_from_the_input() {
        let one = embedding(b"one", 64);
        assert_eq!(one, embedding(b"one", 64));
        assert_ne!(one, embedding(b"two", 64));
        let norm: f32 = one.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }
}
