//! A streamed answer, event by event.

use domain::Usage;

use super::{Finish, Logprob, Part, Signature, Text};
use crate::error::ProviderError;

/// One step of a streamed answer.
///
/// Steps come in the order in which the provider produced them. Blocks have no begin and end of their own: a step of
/// another kind ends the block before it, except that calls are told apart by their index and may grow side by side.
/// An encoder opens, closes and numbers the blocks of its dialect.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins.
    Start {
        /// The provider's id of it.
        id: Option<Text<'a>>,
        /// The model that answers.
        model: Option<Text<'a>>,
    },
    /// More text.
    Text {
        /// Which answer, from 0.
        choice: u32,
        /// The text.
        text: Text<'a>,
    },
    /// More thoughts.
    Reasoning {
        /// Which answer.
        choice: u32,
        /// The thoughts.
        text: Text<'a>,
    },
    /// The seal on the thoughts so far; ends them.
    Signature {
        /// Which answer.
        choice: u32,
        /// The seal.
        signature: Signature<'a>,
    },
    /// Thoughts that only the provider can read, whole.
    Redacted {
        /// Which answer.
        choice: u32,
        /// The seal.
        signature: Signature<'a>,
    },
    /// More of a refusal in words.
    Refusal {
        /// Which answer.
        choice: u32,
        /// The text.
        text: Text<'a>,
    },
    /// A call begins.
    CallStart {
        /// Which answer.
        choice: u32,
        /// Which call of it, from 0 in order of appearance.
        call: u32,
        /// Its id; empty where the dialect gives none.
        id: Text<'a>,
        /// The tool.
        name: Text<'a>,
        /// The seal on the step.
        signature: Option<Signature<'a>>,
        /// Whether the tool is free-form: its input is a text of any form then, and no JSON.
        custom: bool,
    },
    /// More of a call's arguments.
    CallArguments {
        /// Which answer.
        choice: u32,
        /// Which call of it.
        call: u32,
        /// A fragment of JSON text.
        fragment: Text<'a>,
    },
    /// A call is whole. Not every dialect says so; the end of the answer says it as well.
    CallEnd {
        /// Which answer.
        choice: u32,
        /// Which call of it.
        call: u32,
    },
    /// A whole part that does not come in fragments (an image, audio, something foreign).
    Part {
        /// Which answer.
        choice: u32,
        /// The part.
        part: Part<'a>,
    },
    /// The text before it cites sources, in words that only the provider's dialect has.
    Citations {
        /// Which answer.
        choice: u32,
    },
    /// Log-probabilities of the tokens of the text before or after it.
    Logprobs {
        /// Which answer.
        choice: u32,
        /// Token by token.
        logprobs: Vec<Logprob<'a>>,
    },
    /// Usage so far; a later one replaces an earlier one.
    Usage(Usage),
    /// An answer ended.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why.
        reason: Finish,
        /// Which stop sequence it was, where the provider names it.
        stop_sequence: Option<Text<'a>>,
        /// What the provider said about its refusal or filter.
        explanation: Option<Text<'a>>,
    },
    /// The provider failed.
    Error(ProviderError),
    /// The stream is whole: the dialect's terminal event came.
    End,
}

/// Which call of which answer an event of a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallIndex {
    /// Which answer, from 0.
    pub(crate) choice: u32,
    /// Which call of it, from 0.
    pub(crate) call: u32,
}

/// What is known of a call before its arguments come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToolCallRef<'e> {
    /// Its id; empty where the provider gave none.
    pub(crate) id: &'e str,
    /// The tool.
    pub(crate) name: &'e str,
    /// The seal on the step.
    pub(crate) signature: Option<&'e Signature<'e>>,
}

/// Where a decoder puts the events it reads.
pub type Events<'e> = dyn FnMut(Event<'_>) + 'e;
