"""Makes a Portcullis catalogue file out of LiteLLM's table of models and prices.

    python3 tools/catalogue/convert.py TABLE.json --version 2027-12-31 > crates/control-plane/catalogue/models.json

TABLE.json is `litellm/model_prices_and_context_window_backup.json` of the PyPI package `litellm` (MIT; its notice is
kept beside the catalogue). Only facts are taken, in our own structure (docs/catalogue.md). What cannot be taken is
said on standard error: prices that are no whole number of nano-dollars, and fields that have no place here.
"""

import argparse
import collections
import decimal
import json
import re
import sys

# The table's word for a provider, what its names begin with, and the kind of provider it is here.
PROVIDERS = {
    "openai": ("openai/", "openai"),
    "text-completion-openai": ("openai/", "openai"),
    "azure": ("azure/", "azure-openai"),
    "anthropic": ("anthropic/", "anthropic"),
    "bedrock": ("bedrock/", "bedrock"),
    "bedrock_converse": ("bedrock/", "bedrock"),
    "gemini": ("gemini/", "gemini"),
    "vertex_ai": ("vertex_ai/", "vertex"),
    "vertex_ai-language-models": ("vertex_ai/", "vertex"),
    "vertex_ai-embedding-models": ("vertex_ai/", "vertex"),
    "vertex_ai-anthropic_models": ("vertex_ai/", "vertex"),
    "vertex_ai-llama_models": ("vertex_ai/", "vertex"),
    "vertex_ai-mistral_models": ("vertex_ai/", "vertex"),
    "vertex_ai-deepseek_models": ("vertex_ai/", "vertex"),
    "vertex_ai-qwen_models": ("vertex_ai/", "vertex"),
    "vertex_ai-openai_models": ("vertex_ai/openai/", "vertex"),
    "mistral": ("mistral/", "mistral"),
    "codestral": ("codestral/", "mistral"),
    "cohere": ("cohere/", "cohere"),
    "cohere_chat": ("cohere_chat/", "cohere"),
    "groq": ("groq/", "groq"),
    "deepseek": ("deepseek/", "deepseek"),
    "xai": ("xai/", "xai"),
    "together_ai": ("together_ai/", "together"),
    "fireworks_ai": ("fireworks_ai/", "fireworks"),
    "fireworks_ai-embedding-models": ("fireworks_ai/", "fireworks"),
    "openrouter": ("openrouter/", "openrouter"),
    "perplexity": ("perplexity/", "perplexity"),
    "cerebras": ("cerebras/", "cerebras"),
    "sambanova": ("sambanova/", "sambanova"),
    "nvidia_nim": ("nvidia_nim/", "nvidia"),
    "moonshot": ("moonshot/", "moonshot"),
    "zai": ("zai/", "zhipu"),
    "bigmodel": ("bigmodel/", "zhipu"),
    "dashscope": ("dashscope/", "qwen"),
    "minimax": ("minimax/", "minimax"),
    "databricks": ("databricks/", "databricks"),
    "cloudflare": ("cloudflare/", "cloudflare"),
    "ai21": ("ai21/", "ai21"),
    "hyperbolic": ("hyperbolic/", "hyperbolic"),
    "novita": ("novita/", "novita"),
    "deepinfra": ("deepinfra/", "deepinfra"),
    "nebius": ("nebius/", "nebius"),
}

# Kinds that differ in how they are reached and not in what they serve.
SAME_MODELS = {"azure-openai": "azure-openai-classic"}

TASKS = {
    "chat": "chat",
    "responses": "chat",
    "completion": "completion",
    "embedding": "embedding",
    "rerank": "rerank",
    "image_generation": "image",
    "audio_transcription": "transcription",
    "audio_speech": "speech",
    "moderation": "moderation",
    "ocr": "ocr",
}

# Prices of a million tokens.
RATES = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "input_cost_per_token_cache_hit": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "cache_creation_input_token_cost_above_12hr": "cache_write_12h",
    "input_cost_per_audio_token": "audio_input",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "output_cost_per_image_token": "image_output",
}
RATE_ORDER = list(dict.fromkeys(RATES.values()))

TIERS = {"batches": "batch", "flex": "flex", "priority": "priority", "ultrafast": "ultrafast"}

# Prices of other things, each only where it is what the task is billed by.
PIECES = {
    "input_cost_per_request": ("request", None),
    "input_cost_per_query": ("search_unit", "rerank"),
    "output_cost_per_image": ("image", "image"),
    "ocr_cost_per_page": ("page", "ocr"),
    "output_cost_per_second": ("audio_second", "transcription"),
    "input_cost_per_second": ("audio_second", "transcription"),
    "input_cost_per_character": ("characters", "speech"),
}

CAPABILITIES = {
    "tools": ["supports_function_calling"],
    "parallel_tools": ["supports_parallel_function_calling"],
    "structured_output": ["supports_response_schema", "supports_native_structured_output"],
    "reasoning": ["supports_reasoning"],
    "vision": ["supports_vision", "supports_image_input"],
    "documents": ["supports_pdf_input"],
    "audio": ["supports_audio_input", "supports_audio_output"],
    "prompt_cache": ["supports_prompt_caching"],
    "web_search": ["supports_web_search"],
}

# Names that say a size, a quality or a fine-tune's base; and one that is no model at all.
NO_MODEL = re.compile(r"-x-|^ft:|^(low|medium|high|standard|hd)/|^container$")
# Regions, deployment zones and partner surfaces have prices of their own under names that no provider knows.
ELSEWHERE = {
    "azure-openai": re.compile(r"^(eu|us|global|global-standard|low|medium|high|standard|hd)/"),
    "bedrock": re.compile(r"^([a-z]{2}(-gov)?-[a-z]+-\d|\*|claude_platform|converse|invoke|us-gov)(/|$)"),
    "together": re.compile(r"^together-ai-"),
    "fireworks": re.compile(r"^fireworks-ai-"),
}
MILLION = decimal.Decimal(1_000_000)
MOST_DECIMALS = 9


class Inexact(Exception):
    """A price that is no whole number of nano-dollars."""


def decimal_text(value):
    """A number as the shortest decimal text, exactly."""
    value = decimal.Decimal(value)
    if not value.is_finite() or value < 0 or -value.normalize().as_tuple().exponent > MOST_DECIMALS:
        raise Inexact(str(value.normalize()))
    text = format(value.normalize(), "f")
    return "0" if text in ("-0", "0") else text


def number(value):
    return value if isinstance(value, (int, decimal.Decimal)) and not isinstance(value, bool) else None


def field_of(name):
    """(rate, above, tier) of a field that is a price of tokens, else None."""
    for metric in sorted(RATES, key=len, reverse=True):
        if not name.startswith(metric):
            continue
        rest = re.fullmatch(r"(?:_above_(\d+)k_tokens)?(?:_([a-z]+))?", name[len(metric):])
        if rest and (rest[2] is None or rest[2] in TIERS):
            return RATES[metric], int(rest[1]) * 1000 if rest[1] else None, TIERS.get(rest[2])
    return None


def ordered(rates):
    return {name: rates[name] for name in RATE_ORDER if name in rates}


def levels(by_length):
    return [{"above": above, **ordered(by_length[above])} for above in sorted(by_length)]


def ranges(tiered):
    """Qwen's list of ranges as base rates and lengths; None if it is something else."""
    base, lengths = {}, {}
    for entry in tiered:
        start = entry.get("range", [None])[0]
        if start is None:
            return None
        rates = {RATES[name]: decimal_text(value * MILLION) for name, value in entry.items() if name in RATES}
        if start == 0:
            base = rates
        else:
            lengths[int(start)] = rates
    return base, lengths


def rates_of(row):
    """Rates by tier (None: standard) and length (None: any)."""
    rates = collections.defaultdict(lambda: collections.defaultdict(dict))
    for name, value in row.items():
        field = field_of(name)
        if field and number(value) is not None:
            rate, above, tier = field
            # `cache_hit` is an older name of the same rate.
            if not (name.endswith("_cache_hit") and "cache_read_input_token_cost" in row):
                rates[tier][above][rate] = decimal_text(value * MILLION)
    if isinstance(row.get("tiered_pricing"), list) and (found := ranges(row["tiered_pricing"])):
        base, lengths = found
        rates[None][None].update(base)
        for above, level in lengths.items():
            rates[None][above].update(level)
    return rates


def pieces_of(row, task):
    pieces = {}
    for name, (piece, only) in PIECES.items():
        value = number(row.get(name))
        if value and only in (None, task):
            pieces[piece] = decimal_text(value * MILLION if piece == "characters" else value)
    searches = row.get("search_context_cost_per_query")
    if isinstance(searches, dict):
        # How much context a search brings in is the request's choice and not in the usage: the dearest.
        dearest = max((number(value) or 0 for value in searches.values()), default=0)
        if dearest:
            pieces["web_search"] = decimal_text(dearest)
    return pieces


def dearest(rates, names):
    return max((rates[name] for name in names if name in rates), key=decimal.Decimal, default="0")


def price_of(row, task):
    """The price without model and date, or None if it is unknown."""
    rates, pieces = rates_of(row), pieces_of(row, task)
    standard = rates[None][None]
    billed_otherwise = bool(set(pieces) - {"web_search", "request"})
    # Nothing is free but moderation: a zero in the table is a preview's or nobody's knowledge.
    known = any(standard.get(name, "0") != "0" for name in ("input", "output"))
    if not known and not billed_otherwise and not (task == "moderation" and "input" in standard):
        return None
    if task in ("chat", "completion") and not {"input", "output"} <= set(standard):
        return None
    # Where only tokens of sound or images have a rate, the provider's plain counts are such tokens.
    price = {
        "input": standard.get("input") or dearest(standard, ["audio_input", "image_input"]),
        "output": standard.get("output") or dearest(standard, ["audio_output", "image_output"]),
    }
    price.update({name: rate for name, rate in ordered(standard).items() if name not in price})
    price.update(pieces)
    long = {above: level for above, level in rates[None].items() if above is not None}
    if long:
        price["long_context"] = levels(long)
    tiers = {}
    for tier in sorted(tier for tier in rates if tier):
        base = ordered(rates[tier].get(None, {}))
        # A rate that the table leaves out of a tier's long requests is that of standard ones: never too cheap.
        lengths = {
            above: {**long.get(above, {}), **level} for above, level in rates[tier].items() if above is not None
        }
        if base:
            tiers[tier] = {**base, **({"long_context": levels(lengths)} if lengths else {})}
    if factor := (row.get("provider_specific_entry") or {}).get("fast"):
        tiers["fast"] = times(factor, {**ordered(standard), **({"long_context": levels(long)} if long else {})})
    if tiers:
        price["service_tiers"] = tiers
    return price


def times(factor, rates):
    """Every rate by a factor."""
    scaled = {name: decimal_text(decimal.Decimal(rate) * factor) for name, rate in rates.items() if name in RATE_ORDER}
    lengths = rates.get("long_context")
    if lengths is None:
        return scaled
    return {**scaled, "long_context": [{"above": level["above"], **times(factor, level)} for level in lengths]}


def modalities(row, key, derived):
    known = {"text", "image", "audio", "video"}
    listed = [word for word in row.get(key) or [] if word in known]
    return sorted(set(listed or derived))


def whole(value):
    value = number(value)
    return int(value) if value is not None and value > 0 and value == int(value) else None


def takes_sampling_fields(row, kind, model):
    """Claude models take `temperature` and its like unless the table says otherwise; of others nothing is known."""
    if isinstance(row.get("supports_sampling_params"), bool):
        return row["supports_sampling_params"]
    return True if kind == "anthropic" or "claude" in model else None


def facts_of(row, kind, model, task):
    able = {}
    for name, fields in CAPABILITIES.items():
        said = [row[field] for field in fields if isinstance(row.get(field), bool)]
        if said:
            able[name] = any(said)
    if (sampling := takes_sampling_fields(row, kind, model)) is not None:
        able["sampling_fields"] = sampling
    derived = ["text"] + ["image"] * able.get("vision", False) + ["audio"] * bool(row.get("supports_audio_input"))
    reads = modalities(row, "supported_modalities", derived if task in ("chat", "completion") else [])
    if reads and able.get("documents"):
        reads = sorted({*reads, "document"})
    facts = {
        "context": whole(row.get("max_input_tokens")),
        "max_output": whole(row.get("max_output_tokens")) if task in ("chat", "completion") else None,
        "task": task,
        "modalities_in": reads,
        "modalities_out": modalities(row, "supported_output_modalities", ["text"] if task == "chat" else []),
        "capabilities": able,
        "deprecation": row.get("deprecation_date"),
    }
    return {name: value for name, value in facts.items() if value not in (None, [], {})}


def named(name, row):
    """(kind, model) of a row, or None if it is not one for us."""
    prefix, kind = PROVIDERS.get(row.get("litellm_provider"), (None, None))
    if kind is None or row.get("mode") not in TASKS:
        return None
    model = name.removeprefix(prefix)
    elsewhere = ELSEWHERE.get(kind)
    if NO_MODEL.search(model) or (elsewhere and elsewhere.search(model)):
        return None
    return kind, model


def convert(table, version, table_name):
    """The catalogue, and what could not be taken: field or reason → names."""
    models, prices, left_out = {}, {}, collections.defaultdict(list)
    today = version[:10]
    for name in sorted(table):
        row = table[name]
        found = named(name, row)
        if found is None:
            continue
        kind, model = found
        retired = row.get("deprecation_date")
        if retired and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", retired):
            left_out["deprecation_date is no date"].append(name)
            row = {field: value for field, value in row.items() if field != "deprecation_date"}
        elif retired and retired <= today:
            left_out["retired"].append(name)
            continue
        task, key = TASKS[row["mode"]], f"{kind}/{model}"
        if key in models and not name.startswith(PROVIDERS[row["litellm_provider"]][0]):
            continue  # the name with the provider before it is the more precise one
        source = row.get("source")
        source = source if isinstance(source, str) and source.startswith("http") else table_name
        models[key] = {**facts_of(row, kind, model, task), "source": source}
        prices.pop(key, None)
        try:
            price = price_of(row, task)
        except Inexact as inexact:
            left_out["price is no whole number of nano-dollars"].append(f"{name} ({inexact})")
            continue
        if price is None:
            left_out["price is unknown"].append(name)
        else:
            prices[key] = {"model": key, "effective_from": today, **price, "source": source}
        for field in sorted(row):
            if "cost" in field and not taken(field):
                left_out[f"no place for {field}"].append(name)
    for kind, other in SAME_MODELS.items():
        for key in [key for key in models if key.startswith(f"{kind}/")]:
            twin = other + key.removeprefix(kind)
            models[twin] = models[key]
            if key in prices:
                prices[twin] = {**prices[key], "model": twin}
    catalogue = {"version": version, "notice": notice(table_name), "models": models}
    return {**catalogue, "prices": [prices[key] for key in sorted(prices)]}, left_out


def taken(field):
    return field_of(field) or field in PIECES or field == "search_context_cost_per_query"


def notice(table_name):
    return f"Facts from {table_name} (MIT licence, see NOTICE) and the pages named as sources."


def written(catalogue):
    """One row a line, so that a difference shows which models changed."""
    compact = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    models = ",\n".join(f"{compact(key)}:{compact(row)}" for key, row in sorted(catalogue["models"].items()))
    prices = ",\n".join(compact(row) for row in catalogue["prices"])
    head = f'{{"version":{compact(catalogue["version"])},"notice":{compact(catalogue["notice"])},'
    return f'{head}\n"models":{{\n{models}\n}},\n"prices":[\n{prices}\n]}}\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", help="LiteLLM's model_prices_and_context_window_backup.json")
    parser.add_argument("--version", required=True, help="the catalogue's version: a date, 2027-12-31 or 2027-12-31.2")
    parser.add_argument("--table-name", default="litellm", help="what to call the table where a row has no source")
    arguments = parser.parse_args()
    with open(arguments.table, encoding="utf-8") as file:
        table = json.load(file, parse_float=decimal.Decimal)
    catalogue, left_out = convert(table, arguments.version, arguments.table_name)
    sys.stdout.write(written(catalogue))
    print(f"{len(catalogue['models'])} models, {len(catalogue['prices'])} prices", file=sys.stderr)
    for reason, names in sorted(left_out.items()):
        print(f"{reason}: {len(names)}: {', '.join(names[:5])}{', …' * (len(names) > 5)}", file=sys.stderr)


if __name__ == "__main__":
    main()
