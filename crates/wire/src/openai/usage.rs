//! OpenAI's `usage` object, turned into the disjoint counts that money is computed from.

use domain::{ServiceTier, Usage};

use crate::json::{Fault, Reader};

/// The numbers as the provider wrote them; what it did not say is absent.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_write: Option<u64>,
    write_30m: Option<u64>,
    write_12h: Option<u64>,
    audio_in: Option<u64>,
    audio_out: Option<u64>,
    image_in: Option<u64>,
    image_out: Option<u64>,
    reasoning: Option<u64>,
    seconds: Option<u64>,
}

/// Reads the value at the reader; `None` when it is null or says nothing, which is "unknown" and not zero.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Usage>, Fault> {
    let mut reported = Reported::default();
    reader.members_if_object(|reader, key| {
        match key {
            // Images and transcriptions have the newer names.
            b"prompt_tokens" | b"input_tokens" => reported.prompt = number(reader)?.max(reported.prompt),
            b"completion_tokens" | b"output_tokens" => {
                reported.completion = number(reader)?.max(reported.completion);
            }
            // Transcriptions that are billed by duration.
            b"seconds" => reported.seconds = number(reader)?,
            b"total_tokens" => reported.total = number(reader)?,
            // DeepSeek's name for it, beside the usual one or instead of it.
            b"prompt_cache_hit_tokens" => reported.cached = number(reader)?.max(reported.cached),
            b"prompt_tokens_details" | b"input_tokens_details" | b"input_token_details" => reader
                .members_if_object(|reader, key| {
                    match key {
                        b"cached_tokens" => reported.cached = number(reader)?.max(reported.cached),
                        b"cache_write_tokens" => reported.cache_write = number(reader)?,
                        b"cache_write_tokens_details" => reported.lifetimes(reader)?,
                        b"audio_tokens" => reported.audio_in = number(reader)?,
                        b"image_tokens" => reported.image_in = number(reader)?,
                        _ => reader.ignore()?,
                    }
                    Ok(())
                })?,
            b"completion_tokens_details" | b"output_tokens_details" => {
                reader.members_if_object(|reader, key| {
                    match key {
                        b"reasoning_tokens" => reported.reasoning = number(reader)?,
                        b"audio_tokens" => reported.audio_out = number(reader)?,
                        b"image_tokens" => reported.image_out = number(reader)?,
                        _ => reader.ignore()?,
                    }
                    Ok(())
                })?
            }
            _ => reader.ignore()?,
        }
        Ok(())
    })?;
    Ok(reported.disjoint())
}

impl Reported {
    /// Reads the cache's writes by how long they live.
    fn lifetimes(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.members_if_object(|reader, key| {
            match key {
                b"ttl_30m_tokens" => self.write_30m = number(reader)?,
                b"ttl_12h_tokens" => self.write_12h = number(reader)?,
                _ => reader.ignore()?,
            }
            Ok(())
        })
    }

    /// Splits the totals into disjoint parts that sum up to the totals again, whatever the details claim.
    ///
    /// Where details overlap or exceed their total the dearer kind keeps its count, so that a provider's
    /// mistake never makes a request cheaper than it was.
    fn disjoint(self) -> Option<Usage> {
        if let (Some(seconds), None) = (self.seconds, self.prompt) {
            return Some(Usage { audio_ms: seconds.saturating_mul(1_000), ..Usage::default() });
        }
        if self.prompt.is_none() && self.completion.is_none() && self.total.is_none() {
            return None;
        }
        let total = self.total.unwrap_or(0);
        let prompt = self.prompt.unwrap_or_else(|| total.saturating_sub(self.completion.unwrap_or(0)));
        let mut completion = self.completion.unwrap_or_else(|| total.saturating_sub(prompt));
        let reasoning = self.reasoning.unwrap_or(0);
        // xAI counts reasoning beside `completion_tokens`; only the total gives it away.
        if reasoning > 0 && total == prompt.saturating_add(completion).saturating_add(reasoning) {
            completion = completion.saturating_add(reasoning);
        }
        let (mut input, mut output) = (prompt, completion);
        let take = |from: &mut u64, want: Option<u64>| {
            let part = want.unwrap_or(0).min(*from);
            *from -= part;
            part
        };
        let audio_in = take(&mut input, self.audio_in);
        let image_in = take(&mut input, self.image_in);
        let write_12h = take(&mut input, self.write_12h);
        let write_30m = take(&mut input, self.write_30m);
        // The sum holds those with a lifetime as well.
        let others = self.cache_write.map(|all| all.saturating_sub(write_12h).saturating_sub(write_30m));
        let cache_write = take(&mut input, others);
        let cache_read = take(&mut input, self.cached);
        let audio_out = take(&mut output, self.audio_out);
        let image_out = take(&mut output, self.image_out);
        let reasoning = take(&mut output, self.reasoning);
        Some(Usage {
            input_uncached: input,
            cache_read,
            cache_write,
            write_30m,
            write_12h,
            output_visible: output,
            reasoning,
            audio_in,
            audio_out,
            image_in,
            image_out,
            ..Usage::default()
        })
    }
}

/// Reads the service tier at the reader; what is none that has rates, such as `default`, is the usual one.
pub(crate) fn tier(reader: &mut Reader<'_>) -> Result<ServiceTier, Fault> {
    let span = reader.value()?;
    let named = str::from_utf8(reader.slice(span)).unwrap_or_default().trim_matches('"');
    Ok(named.parse().unwrap_or_default())
}

/// A count; fractions round up, negative ones are nothing, and what is no number was not said.
fn number(reader: &mut Reader<'_>) -> Result<Option<u64>, Fault> {
    let span = reader.value()?;
    let token = str::from_utf8(reader.slice(span)).unwrap_or_default();
    Ok(token.parse().ok().or_else(|| token.parse::<f64>().ok().map(whole)))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, which is wanted"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

/// The usage of a plain chat or embeddings response; where it says nothing, usage has to be estimated.
#[must_use]
pub fn chat_usage(body: &[u8]) -> Option<Usage> {
    let (mut found, mut service_tier) = (None, ServiceTier::Standard);
    // A body that breaks off behind its usage still says what was billed.
    let _: Result<(), Fault> = Reader::new(body).members(|reader, key| {
        match key {
            b"usage" => found = read(reader)?.or(found),
            b"service_tier" => service_tier = tier(reader)?,
            _ => reader.ignore()?,
        }
        Ok(())
    });
    found.map(|usage| Usage { service_tier, ..usage })
}

/// The usage of an answer of which only the last bytes are known: the last `"usage"` object among them.
#[must_use]
pub fn tail_usage(tail: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    let at = memchr::memmem::rfind(tail, KEY)?;
    let value = tail[at + KEY.len()..].trim_ascii_start().strip_prefix(b":")?;
    read(&mut Reader::new(value)).ok().flatten()
}

#[cfg(test)]
mod tests;
