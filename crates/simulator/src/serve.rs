//! One request from its bytes to its answer: recorded, checked for a key, scripted, read and answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

use crate::credential::{CREDENTIALS, Credential};
use crate::digest::sha256;
use crate::endpoint::{Dialect, Endpoint, Target};
use crate::problem::Problem;
use crate::recorder::{Entry, Outcome};
use crate::reply::{Payload, refuse, respond};
use crate::request::SimRequest;
use crate::script::Hang;
use crate::{App, anthropic, bedrock, body, cohere, gemini, models, openai, responses};

/// Answers whatever is not one of the simulator's own paths.
pub(crate) async fn serve(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(Target { endpoint, model }) = Target::of(&method, uri.path()) else {
        return refuse(Dialect::OpenAi, &Problem::new(StatusCode::NOT_FOUND, "no such path"), 0);
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => return refuse(endpoint.dialect(), &Problem::new(error.status(), error.body_text()), 0),
    };
    if endpoint == Endpoint::Models {
        return models::answer(&app, &uri, &headers);
    }
    let incoming = Incoming { endpoint, method, uri, headers, body };
    incoming.answer(&app, model).await
}

struct Incoming {
    endpoint: Endpoint,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Incoming {
    async fn answer(self, app: &App, in_path: Option<String>) -> Response {
        let dialect = self.endpoint.dialect();
        let read = self.read();
        let named = read.as_ref().ok().and_then(|json| json["model"].as_str()).map(str::to_owned);
        let model = in_path.or(named).unwrap_or_default();
        let credential = Credential::of(self.endpoint, &self.headers, self.uri.query().unwrap_or_default());
        let digest = sha256(&self.body);
        let entry = self.entry(&model, &credential, digest);
        let behaviour = app.scripts.next(&model, entry.key_digest.as_ref());
        let mut request = app.recorder.begin(entry);
        let known = credential.check(app, &behaviour, self.endpoint, &self.signed(&digest));
        if behaviour.latency_ms > 0 && known.is_ok() {
            body::pause(Duration::from_millis(behaviour.latency_ms), &app.shutdown).await;
        }
        if behaviour.hang == Some(Hang::BeforeHeaders) && known.is_ok() {
            app.shutdown.cancelled().await;
            request.served();
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the simulator is shutting down");
            return refuse(dialect, &problem, request.n);
        }
        let payload = known.and(read).and_then(|json| {
            self.endpoint.answer(&SimRequest {
                app,
                behaviour: &behaviour,
                headers: &self.headers,
                query: self.uri.query().unwrap_or_default(),
                json: &json,
                body: &self.body,
                model: &model,
                digest: &digest,
            })
        });
        match payload {
            Ok(payload) => respond(&behaviour, dialect, payload, request, &app.shutdown),
            Err(problem) => {
                request.served();
                refuse(dialect, &problem, request.n)
            }
        }
    }

    /// The body as JSON, except for uploads.
    fn read(&self) -> Result<Value, Problem> {
        if self.endpoint == Endpoint::Transcriptions {
            return Ok(Value::Null);
        }
        let read = serde_json::from_slice::<Value>(&self.body);
        let json = read.map_err(|e| Problem::bad(format!("could not read the request: {e}")))?;
        json.is_object().then_some(json).ok_or_else(|| Problem::bad("the request must be a JSON object"))
    }

    fn signed<'a>(&'a self, body_digest: &'a [u8; 32]) -> crate::sigv4::Signed<'a> {
        crate::sigv4::Signed { method: &self.method, uri: &self.uri, headers: &self.headers, body_digest }
    }

    fn entry(&self, model: &str, credential: &Credential, body_digest: [u8; 32]) -> Entry {
        let mut headers = self.headers.clone();
        for name in CREDENTIALS {
            headers.remove(name);
        }
        Entry {
            n: 0,
            at: Duration::ZERO,
            took: None,
            model: model.to_owned(),
            path: self.uri.path().to_owned(),
            query: without_key(self.uri.query().unwrap_or_default()),
            headers,
            key_digest: credential.key().map(|key| sha256(key.as_bytes())),
            signed: matches!(credential, Credential::Signature),
            body: self.body.clone(),
            body_digest,
            outcome: Outcome::InFlight,
        }
    }
}

/// The query without the key that Google's clients may put there.
fn without_key(query: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("key=")).collect();
    kept.join("&")
}

impl Endpoint {
    fn answer(self, request: &SimRequest<'_>) -> Result<Payload, Problem> {
        use Endpoint as E;
        match self {
            E::Chat => openai::chat::answer(request),
            E::Embeddings => openai::embeddings::answer(request),
            E::Completions => openai::completions::answer(request),
            E::Images => openai::media::images(request),
            E::Speech => openai::media::speech(request),
            E::Transcriptions => openai::media::transcriptions(request),
            E::Moderations => openai::media::moderations(request),
            E::Rerank => cohere::search::rerank(request),
            E::Responses => responses::answer(request),
            E::InputTokens => responses::count(request),
            E::Messages => anthropic::answer(request),
            E::CountMessages => anthropic::count(request),
            E::RawPredict => anthropic::raw_predict(request, false),
            E::StreamRawPredict => anthropic::raw_predict(request, true),
            E::CountRawPredict => anthropic::count(request),
            E::Generate => gemini::answer(request, false),
            E::StreamGenerate => gemini::answer(request, true),
            E::CountContents => gemini::count(request),
            E::EmbedContent => gemini::embed::one(request),
            E::BatchEmbed => gemini::embed::batch(request),
            E::Predict => gemini::embed::predict(request),
            E::CohereChat => cohere::answer(request),
            E::CohereEmbed => cohere::search::embed(request),
            E::CohereRerank => cohere::search::rerank(request),
            E::Tokenize => cohere::search::tokenize(request),
            E::Converse => bedrock::answer(request, false),
            E::ConverseStream => bedrock::answer(request, true),
            E::Invoke => bedrock::invoke::answer(request),
            E::CountConverse => bedrock::count(request),
            E::Models => Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "models are listed by GET")),
        }
    }
}
