//! Tests of conditions: what compiles, what is refused with which words, what they see, and that nothing panics.

mod hostile;

use domain::Preset;

use super::*;

fn tags() -> Vec<(String, String)> {
    [("team", "core"), ("code", "yes"), ("team", "edge")]
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// A request of which no two facts are alike.
fn request(tags: &[(String, String)]) -> Facts<'_> {
    Facts {
        api: "messages",
        model: "assistant",
        stream: true,
        input_tokens: 61_000,
        max_output_tokens: 512,
        messages: 3,
        images: 4,
        audio: 5,
        files: 6,
        tools: 7,
        json: true,
        structured: false,
        reasoning_effort: "high",
        code_share: 0.25,
        tags,
        user: "Jane",
        feature: "search",
        session: "s1",
        tenant_name: "acme",
        tenant_tier: "pro",
        key_name: "backend",
        region: "eu-west",
    }
}

const REPLY: ReplyFacts<'static> = ReplyFacts {
    text: "{\"größe\": 1}",
    length: 12,
    json_valid: true,
    schema_valid: false,
    refusal: false,
    finish_reason: "stop",
    output_tokens: 8,
    tool_calls: 2,
    mean_logprob: Some(-0.25),
};

fn matches(source: &str) -> Result<bool, String> {
    Program::rule(source).unwrap_or_else(|error| panic!("{source}: {error}")).matches(&request(&tags()))
}

fn accepts(source: &str, facts: &ReplyFacts<'_>) -> Result<bool, String> {
    Program::acceptance(source).unwrap_or_else(|error| panic!("{source}: {error}")).accepts(facts)
}

fn refused(source: &str) -> String {
    Program::rule(source).err().unwrap_or_else(|| panic!("{source} compiles")).to_string()
}

#[test]
fn a_condition_sees_every_fact_of_a_request() {
    let held = [
        "request.api == 'messages'",
        "request.model == 'assistant'",
        "request.stream",
        "request.input_tokens == 61000",
        "request.max_output_tokens == 512",
        "request.messages == 3",
        "request.images == 4",
        "request.audio == 5",
        "request.files == 6",
        "request.tools == 7",
        "request.json",
        "!request.structured",
        "request.reasoning_effort == 'high'",
        "request.code_share == 0.25",
        "request.tags == {'team': 'edge', 'code': 'yes'}",
        "request.user == 'Jane'",
        "request.feature == 'search'",
        "request.session == 's1'",
        "tenant.name == 'acme'",
        "tenant.tier == 'pro'",
        "key.name == 'backend'",
        "proxy.region == 'eu-west'",
    ];
    for (source, fact) in held.iter().zip(FACTS) {
        assert!(source.contains(fact.name), "{} is asked in its turn, not {source}", fact.name);
        assert_eq!(matches(source), Ok(true), "{source}");
        assert!(Program::rule(source).unwrap().reads(fact.name));
    }
    assert_eq!(held.len(), FACTS.len());
}

#[test]
fn a_condition_sees_every_fact_of_an_answer() {
    let held = [
        "reply.text.startsWith('{\"gr')",
        "reply.length == 12 && reply.text.size() == reply.length",
        "reply.json_valid",
        "!reply.schema_valid",
        "!reply.refusal",
        "reply.finish_reason == 'stop'",
        "reply.output_tokens == 8",
        "reply.tool_calls == 2",
        "reply.mean_logprob > -0.3",
    ];
    for (source, fact) in held.iter().zip(REPLY_FACTS) {
        assert!(source.contains(fact.name), "{} is asked in its turn, not {source}", fact.name);
        assert_eq!(accepts(source, &REPLY), Ok(true), "{source}");
    }
    assert_eq!(held.len(), REPLY_FACTS.len());
    let silent = ReplyFacts { mean_logprob: None, ..REPLY };
    assert_eq!(
        accepts("reply.mean_logprob > -0.3", &silent),
        Err("`reply.mean_logprob` is not known".into())
    );
    let guarded = "!has(reply.mean_logprob) || reply.mean_logprob > -0.3";
    assert_eq!((accepts(guarded, &silent), accepts(guarded, &REPLY)), (Ok(true), Ok(true)));
}

#[test]
fn conditions_of_the_design_and_all_that_is_documented_work() {
    for (source, holds) in [
        ("request.images > 0", true),
        ("request.input_tokens > 60000", true),
        ("request.reasoning_effort in ['medium', 'high']", true),
        ("request.code_share > 0.4 || 'code' in request.tags", true),
        ("tenant.tier == 'free'", false),
        ("request.tags.team == 'edge'", true),
        ("request.tags['team'] == 'edge'", true),
        ("has(request.tags.team) && !has(request.tags.cost_center)", true),
        ("has(request.model)", true),
        ("request.tags.exists(t, t == 'team' && request.tags[t].startsWith('ed'))", true),
        ("request.tags.exists_one(name, name.size() == 4)", false),
        ("request.tags.all(t, t.contains('e'))", true),
        ("size(request.tags.filter(t, t.endsWith('m'))) == 1", true),
        ("'edge' in request.tags.map(t, request.tags[t])", true),
        ("request.model.matches('^a.s') && !matches(request.model, 'z$')", true),
        ("request.user.matches(r'^\\p{Lu}\\w+$')", true),
        ("int('7') == request.tools && double(1) < 1.5 && string(1) == '1'", true),
        ("(request.stream ? request.messages : 0) - 1 == 2 && 7 % 4 * 2 / 3 == 2 && -1 + 2 != 0", true),
        ("{'assistant': 5}[request.model] <= request.audio // a comment", true),
        ("[1, 2, 3].exists(n, n == request.messages)", true),
        ("true", true),
    ] {
        assert_eq!(matches(source), Ok(holds), "{source}");
    }
    assert_eq!(accepts("reply.json_valid && !reply.refusal", &REPLY), Ok(true));
    for function in FUNCTIONS {
        assert!(refused(&format!("{}()", function.name)).contains(function.form), "{}", function.name);
    }
}

#[test]
fn presets_compile_and_tell_requests_apart() {
    let plain = Facts { input_tokens: 50, ..Facts::default() };
    let code = [("code".to_owned(), String::new())];
    for (preset, facts) in [
        (Preset::SmallPrompt, plain),
        (Preset::LongContext, Facts { input_tokens: 60_001, ..plain }),
        (Preset::Reasoning, Facts { reasoning_effort: "high", input_tokens: 2_000, ..plain }),
        (Preset::Code, Facts { tags: &code, input_tokens: 2_000, ..plain }),
        (Preset::Code, Facts { code_share: 0.5, input_tokens: 2_000, ..plain }),
        (Preset::Vision, Facts { images: 1, ..plain }),
        (Preset::Tools, Facts { tools: 1, ..plain }),
    ] {
        let held: Vec<_> = Preset::ALL
            .into_iter()
            .filter(|preset| Program::rule(source(*preset)).unwrap().matches(&facts).unwrap())
            .collect();
        assert_eq!(held, [preset]);
    }
    let shape: Vec<_> = Preset::ALL
        .into_iter()
        .filter(|preset| Program::rule(source(*preset)).unwrap().needs_shape())
        .collect();
    assert_eq!(shape, [Preset::SmallPrompt, Preset::Reasoning, Preset::Code, Preset::Tools]);
}

#[test]
fn what_is_unknown_is_refused_with_what_there_is() {
    for (source, words) in [
        (" \n", "the expression is empty"),
        ("request.images >", "line 1, column 17: mismatched input '<EOF>' expecting expression"),
        ("true &&\n  'ä' == )", "line 2, column 10: unexpected token"),
        ("requets.images > 0", "unknown name `requets`; there are request.api, request.model,"),
        ("images > 0", "unknown name `images`; there are request.api,"),
        (
            "request.image > 0",
            "unknown name `request.image`; there are request.api, request.model, request.stream,",
        ),
        ("has(request.image)", "unknown name `request.image`;"),
        ("tenant.plan == 'x'", "unknown name `tenant.plan`; there are tenant.name, tenant.tier"),
        ("reply.refusal", "unknown name `reply`; there are request.api,"),
        (".request.stream", "unknown name `.request`;"),
        (
            "request['stream']",
            "`request` is not a value; write one of its facts: request.api, request.model,",
        ),
        ("budget.used_ratio > 0.9", "budget facts come with budgets; this version has none"),
        (
            "tenant.tier == 'free' || has(budget.used_ratio)",
            "budget facts come with budgets; this version has none",
        ),
        ("timestamp('x') > 1", "unknown function `timestamp`; there are size, contains, startsWith,"),
        ("request.model.lower() == 'x'", "unknown function `lower`; there are size,"),
        ("contains(request.model, 'x')", "`contains` is not called so; write text.contains(part)"),
        ("request.tags.exists(t)", "`exists` is not called so; write list.exists(x, condition)"),
        (
            "request.tags.exists(request, true)",
            "`request` already is the name of facts; give the variable another one",
        ),
    ] {
        let error = refused(source);
        assert!(error.starts_with(words), "{source}: {error}");
    }
    let error = Program::acceptance("request.stream").unwrap_err().to_string();
    assert!(error.starts_with("unknown name `request`; there are reply.text, reply.length,"), "{error}");
}

#[test]
fn what_cannot_be_a_condition_is_refused_with_the_reason() {
    for (source, words) in [
        ("request.model.matches('(')", "the pattern of `matches` is not one: unclosed group"),
        ("request.model.matches(request.user)", "the pattern of `matches` must be a literal"),
        (
            r"request.model.matches('(\\pL{90}){90}')",
            "the pattern of `matches` needs more than 262144 bytes when compiled",
        ),
        (
            "request.images",
            "a condition must be true or false, but it, or a part of it, is a value of type int",
        ),
        (
            "request.stream && request.model",
            "a condition must be true or false, but it, or a part of it, is a value of type string",
        ),
        (
            "!request.stream ? request.user : true",
            "a condition must be true or false, but it, or a part of it, is a value of type string",
        ),
        ("request.model > 5", "`>` does not take (string, int)"),
        ("!request.stream && request.user + 1 == 'x'", "`add` does not take (string, int)"),
        ("request.images.matches('x')", "`matches` does not take (int, pattern)"),
        ("request.images.contains('x')", "`contains` does not take (int, string)"),
        ("request.model.exists(x, true)", "a value of type string is no iterable"),
        ("b'x' == b'x'", "there are no bytes here"),
        ("request{a: 1} == 1", "there are no messages here, only facts"),
        ("request.?model == 'x'", "line 1, column 8: unsupported syntax '.?'"),
    ] {
        let error = refused(source);
        assert!(error.starts_with(words), "{source}: {error}");
    }
    let long = format!("request.model == '{}'", "x".repeat(1_000));
    assert_eq!(refused(&long), "the expression is 1019 bytes long; at most 1000 are allowed");
    let pattern = format!("request.model.matches('{}')", "x".repeat(257));
    assert_eq!(refused(&pattern), "the pattern of `matches` is longer than 256 bytes");
}

#[test]
fn what_fails_on_a_request_says_why_and_never_what_a_user_wrote() {
    for (source, words) in [
        ("request.tags.cost_center == 'x'", "there is no key `cost_center`"),
        ("100 / (request.images - 4) > 1", "division by zero"),
        ("[1, 2][request.images] == 1", "a list has no entry at the index"),
        ("request.images * 9223372036854775807 > 1", "a number is out of range"),
        ("int(request.user) > 1", "`int` cannot convert the value"),
        ("request.tags.team > 5", "`>` does not take (string, int)"),
        (
            "request.tags[request.user == 'Jane' ? 'team' : 'code']",
            "a condition must be true or false, but it, or a part of it, is a value of type string",
        ),
    ] {
        assert_eq!(matches(source), Err(words.to_owned()), "{source}");
    }
    // As CEL has it, the other operand may decide.
    assert_eq!(matches("request.tags.cost_center == 'x' || request.stream"), Ok(true));
    assert_eq!(matches("request.tags.cost_center == 'x' && !request.stream"), Ok(false));
}

#[test]
fn counts_beyond_what_cel_can_count_are_its_largest() {
    let facts = Facts { input_tokens: u64::MAX, ..Facts::default() };
    assert_eq!(
        Program::rule("request.input_tokens == 9223372036854775807").unwrap().matches(&facts),
        Ok(true)
    );
}

#[test]
fn costs_grow_with_what_an_expression_goes_through() {
    let steps =
        |source: &str| Program::rule(source).unwrap_or_else(|error| panic!("{source}: {error}")).steps();
    assert!(steps("request.images > 0") <= 5);
    assert!(steps("request.code_share > 0.4 || 'code' in request.tags") < 60);
    let one = steps("request.tags.exists(t, t == 'x')");
    assert!((100..400).contains(&one), "16 rounds: {one}");
    assert!(steps("[1, 2].exists(t, t == 1)") < 40);
    let twice = refused("request.tags.exists(t, request.tags.exists(u, request.tags[t] == request.tags[u]))");
    assert!(
        twice.starts_with("the expression may take ") && twice.ends_with(" steps; at most 10000 are allowed"),
        "{twice}"
    );
    assert_eq!(
        refused("[1].exists(a, [1].exists(b, [1].exists(c, a == b && b == c)))"),
        "the expression is nested too deeply"
    );
    let whole =
        Program::acceptance("reply.text.contains('sorry') || reply.text.matches('(?i)i cannot')").unwrap();
    assert!((5_000..7_000).contains(&whole.steps()), "{}", whole.steps());
    let many = ["reply.text.matches('a')"; 3].join(" || ");
    assert!(matches!(Program::acceptance(&many), Err(RuleError::TooCostly { steps: 12_000.. })));
    // On a text that is made for it this took half a minute, in the 4,103 steps of a pattern that counts nothing.
    for (pattern, whole) in [("[a-z]{1,999}[0-9]", false), ("(a|b)*a(a|b){200}!", false), (".{0,60}x", true)]
    {
        let source = format!("reply.text.matches('{pattern}')");
        assert_eq!(Program::acceptance(&source).is_ok(), whole, "{pattern}");
        let short = format!("reply.finish_reason.matches('{}')", pattern.replace(".{0,60}", ".{0,20}"));
        assert!(Program::acceptance(&short).unwrap().steps() < 200, "{pattern}");
    }
    let doubled = "[reply.text + reply.text].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a) == ['']";
    assert!(matches!(Program::acceptance(doubled), Err(RuleError::TooCostly { .. })));
}

#[test]
fn an_answer_too_long_to_look_at_is_not_kept_where_its_text_is_asked() {
    let text = "a".repeat(MAX_TEXT + 1);
    let facts = ReplyFacts { text: &text, ..REPLY };
    assert_eq!(
        accepts("reply.text.contains('a')", &facts),
        Err("the answer's text is longer than 262144 bytes".into())
    );
    assert_eq!(accepts("reply.json_valid", &facts), Ok(true));
}
