//! Reading a provider's plain answer, and the candidates of streamed ones.

use super::{error, finish, logprobs, part_in, usage};
use crate::{
    canonical::{Choice, Finish, Logprob, Malformed, Part, PartKind, Reply, Text},
    error::DecodeError,
    json::Json,
    read::Place,
};

/// Reads an answer.
pub(super) fn decode(body: Json<'_>) -> Result<Reply<'_>, DecodeError> {
    let (class, said) = error::inside(body);
    if let Some(said) = said {
        return Err(DecodeError::Error(class, said));
    }
    read(body).map_err(|malformed| DecodeError::Malformed(malformed.to_string()))
}

fn read(body: Json<'_>) -> Result<Reply<'_>, Malformed> {
    let mut answer = Answer::read(body)?;
    let mut choices: Vec<_> = answer.candidates.drain(..).map(Candidate::whole).collect();
    if let Some(explanation) = answer.blocked {
        choices.push(Choice { finish: Finish::ContentFilter, ..choice(Vec::new(), Some(explanation)) });
    }
    if choices.is_empty() {
        return Err(Place::ROOT.key("candidates").malformed("is missing"));
    }
    let searches = answer.searches;
    let usage = answer.usage.map(|usage| domain::Usage { web_searches: searches, ..usage });
    let tier = usage.map(|usage| usage.service_tier).filter(|tier| !tier.is_standard());
    let service_tier = tier.map(|tier| tier.as_str().into());
    Ok(Reply { id: answer.id, model: answer.model, created: None, choices, usage, service_tier })
}

const fn choice<'a>(parts: Vec<Part<'a>>, explanation: Option<Text<'a>>) -> Choice<'a> {
    Choice {
        parts,
        finish: Finish::End,
        stop_sequence: None,
        explanation,
        logprobs: Vec::new(),
        citations: None,
    }
}

/// An answer or one chunk of it.
pub(super) struct Answer<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) candidates: Vec<Candidate<'a>>,
    /// What was said about a prompt that was refused (docs/spec/cases.md#case-32); only where there are no candidates.
    pub(super) blocked: Option<Text<'a>>,
    pub(super) usage: Option<domain::Usage>,
    /// Searches that the candidates' grounding names.
    pub(super) searches: u64,
}

/// One candidate, or what a chunk adds to it.
pub(super) struct Candidate<'a> {
    pub(super) index: u32,
    pub(super) parts: Vec<Part<'a>>,
    pub(super) finish: Option<Finish>,
    pub(super) explanation: Option<Text<'a>>,
    pub(super) logprobs: Vec<Logprob<'a>>,
    pub(super) citations: Option<Json<'a>>,
    searches: u64,
}

impl<'a> Answer<'a> {
    pub(super) fn read(body: Json<'a>) -> Result<Self, Malformed> {
        let mut members = super::common::open(body, &Place::ROOT)?;
        let list = Place::ROOT.key("candidates");
        let candidates = members.array("candidates")?.into_iter().enumerate();
        let candidates: Vec<_> = candidates
            .map(|(at, json)| Candidate::read(json, at, &list.index(at)))
            .collect::<Result<_, _>>()?;
        let feedback = members.object("promptFeedback")?.filter(|_| candidates.is_empty());
        let metadata = members.raw("usageMetadata");
        Ok(Self {
            id: members.text("responseId")?,
            model: members.text("modelVersion")?,
            blocked: feedback.map(blocked).transpose()?.flatten(),
            usage: metadata.and_then(usage::read),
            searches: candidates.iter().map(|candidate| candidate.searches).fold(0, u64::saturating_add),
            candidates,
        })
    }
}

fn blocked(feedback: Json<'_>) -> Result<Option<Text<'_>>, Malformed> {
    let place = Place::ROOT.key("promptFeedback");
    let mut feedback = super::common::open(feedback, &place)?;
    let reason = feedback.text("blockReason")?;
    let message = feedback.text("blockReasonMessage")?;
    Ok(reason.map(|reason| message.unwrap_or(reason)))
}

impl<'a> Candidate<'a> {
    fn read(json: Json<'a>, at: usize, place: &Place<'_>) -> Result<Self, Malformed> {
        let mut members = super::common::open(json, place)?;
        let index = members.u64("index")?.map_or(Ok(at), usize::try_from);
        let mut parts = Vec::new();
        if let Some(content) = members.object("content")? {
            let place = place.key("content");
            let list = place.key("parts");
            let content = super::common::open(content, &place)?.array("parts")?;
            for (at, part) in content.into_iter().enumerate() {
                part_in::read(part, &list.index(at), &mut part_in::Origin::Response, &mut parts)?;
            }
        }
        let logprobs = members.object("logprobsResult")?;
        let grounding = members.raw("groundingMetadata");
        Ok(Self {
            index: index.ok().and_then(|index| u32::try_from(index).ok()).unwrap_or(u32::MAX),
            parts,
            finish: members.text("finishReason")?.map(|reason| finish::read(&reason)),
            explanation: members.text("finishMessage")?,
            logprobs: match logprobs {
                Some(json) => logprobs::read(json, &place.key("logprobsResult"))?,
                None => Vec::new(),
            },
            citations: members.raw("citationMetadata").or(grounding),
            searches: usage::searches(grounding),
        })
    }

    fn whole(self) -> Choice<'a> {
        let calls = self.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
        Choice {
            finish: self.finish.unwrap_or(Finish::End).with_calls(calls),
            logprobs: self.logprobs,
            citations: self.citations,
            ..choice(self.parts, self.explanation)
        }
    }
}
