//! Ready-made conditions as CEL, so that a preset is documented by its source and a user can start from it.

use domain::Preset;

/// The condition that a preset stands for.
#[must_use]
pub const fn source(preset: Preset) -> &'static str {
    match preset {
        // A question and its instructions; whatever is longer has context that small models lose.
        Preset::SmallPrompt => {
            "request.input_tokens <= 1000 && request.images == 0 && request.audio == 0 && request.files == 0 \
             && request.tools == 0"
        }
        // Half of a context of 128k, where recall of most models has begun to decline.
        Preset::LongContext => "request.input_tokens > 60000",
        // Below medium, models without reasoning do as well.
        Preset::Reasoning => "request.reasoning_effort in ['medium', 'high', 'xhigh', 'max']",
        Preset::Code => "request.code_share > 0.4 || 'code' in request.tags",
        Preset::Vision => "request.images > 0",
        Preset::Tools => "request.tools > 0",
    }
}
