//! Gemini's `logprobsResult`, read and written.

use crate::{
    canonical::{Logprob, Malformed, Text},
    json::{Json, out::ObjectOut},
    read::{Members, Place},
};

/// Reads the result: the chosen tokens, and beside each the likeliest ones.
pub(super) fn read<'a>(json: Json<'a>, place: &Place<'_>) -> Result<Vec<Logprob<'a>>, Malformed> {
    let mut members = super::common::open(json, place)?;
    let mut tops = members.array("topCandidates")?.into_iter();
    let chosen = members.array("chosenCandidates")?;
    chosen.into_iter().map(|chosen| token(chosen, tops.next(), place)).collect()
}

fn token<'a>(chosen: Json<'a>, top: Option<Json<'a>>, place: &Place<'_>) -> Result<Logprob<'a>, Malformed> {
    let (token, logprob) = pair(super::common::open(chosen, place)?)?;
    let candidates = match top {
        Some(top) => super::common::open(top, place)?.array("candidates")?,
        None => Vec::new(),
    };
    let top = candidates.into_iter().map(|candidate| pair(super::common::open(candidate, place)?));
    Ok(Logprob { token, logprob, bytes: None, top: top.collect::<Result<_, _>>()? })
}

/// A token and its logarithm; proto3 leaves out what is empty or zero.
fn pair<'a>(mut members: Members<'a, '_>) -> Result<(Text<'a>, Json<'a>), Malformed> {
    let zero = Json::parse(b"0").unwrap_or(Json::NULL);
    Ok((members.text("token")?.unwrap_or_default(), members.number("logProbability")?.unwrap_or(zero)))
}

/// Writes the result; nothing where there is none.
pub(super) fn write(logprobs: &[Logprob<'_>], o: &mut ObjectOut<'_>) {
    if logprobs.is_empty() {
        return;
    }
    let one = |token: &str, logprob: Json<'_>, o: &mut ObjectOut<'_>| {
        o.text("token", token);
        o.raw("logProbability", logprob);
    };
    o.object("logprobsResult", |o| {
        o.array("chosenCandidates", |a| {
            for chosen in logprobs {
                a.object(|o| one(&chosen.token, chosen.logprob, o));
            }
        });
        if logprobs.iter().all(|chosen| chosen.top.is_empty()) {
            return;
        }
        o.array("topCandidates", |a| {
            for chosen in logprobs {
                a.object(|o| {
                    o.array("candidates", |a| {
                        for (token, logprob) in &chosen.top {
                            a.object(|o| one(token, *logprob, o));
                        }
                    });
                });
            }
        });
    });
}
