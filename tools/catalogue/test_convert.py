"""The converter on a table made for it: every case of a row, small enough to be checked by hand."""

import decimal
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import convert  # noqa: E402


def converted(table):
    table = json.loads(json.dumps(table), parse_float=decimal.Decimal)
    return convert.convert(table, "2027-06-30", "the table")


def price(row):
    row = {"litellm_provider": "openai", "mode": "chat", **row}
    catalogue, left_out = converted({"m": row})
    found = catalogue["prices"][0] if catalogue["prices"] else None
    for name in ("model", "effective_from", "source"):
        found and found.pop(name)
    return found, dict(left_out)


class Prices(unittest.TestCase):
    def test_are_exact_decimals_of_a_million_tokens(self):
        found, _ = price({"input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
                          "cache_read_input_token_cost": 7.5e-08})
        self.assertEqual(found, {"input": "0.15", "output": "0.6", "cached_input": "0.075"})

    def test_that_are_no_whole_number_of_nano_dollars_are_reported(self):
        found, left_out = price({"input_cost_per_token": 1.1428571428571428e-06, "output_cost_per_token": 1e-06})
        self.assertIsNone(found)
        self.assertEqual(left_out["price is no whole number of nano-dollars"], ["m (1.1428571428571428)"])

    def test_by_lifetime_length_and_tier_are_structured(self):
        found, _ = price({
            "input_cost_per_token": 1e-05, "output_cost_per_token": 5e-05,
            "cache_creation_input_token_cost": 1.25e-05, "cache_creation_input_token_cost_above_1hr": 2e-05,
            "input_cost_per_token_above_272k_tokens": 2e-05, "cache_read_input_token_cost_above_272k_tokens": 2e-06,
            "input_cost_per_token_batches": 5e-06, "input_cost_per_token_above_272k_tokens_batches": 1e-05,
            "output_cost_per_token_priority": 1e-04,
        })
        self.assertEqual(found, {
            "input": "10", "output": "50", "cache_write": "12.5", "cache_write_1h": "20",
            "long_context": [{"above": 272000, "input": "20", "cached_input": "2"}],
            "service_tiers": {
                # What the table leaves out of a tier's long requests is that of standard ones.
                "batch": {"input": "5",
                          "long_context": [{"above": 272000, "input": "10", "cached_input": "2"}]},
                "priority": {"output": "100"},
            },
        })

    def test_in_ranges_become_lengths(self):
        found, _ = price({"litellm_provider": "dashscope", "tiered_pricing": [
            {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
            {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06},
        ]})
        self.assertEqual(found, {"input": "0.05", "output": "0.4",
                                 "long_context": [{"above": 256000, "input": "0.25", "output": "2"}]})

    def test_of_faster_machines_are_a_factor(self):
        found, _ = price({"litellm_provider": "anthropic", "input_cost_per_token": 5e-06,
                          "output_cost_per_token": 2.5e-05, "output_cost_per_token_above_200k_tokens": 5e-05,
                          "provider_specific_entry": {"fast": 2.0, "us": 1.1}})
        self.assertEqual(found["service_tiers"], {"fast": {
            "input": "10", "output": "50", "long_context": [{"above": 200000, "output": "100"}]}})

    def test_of_pieces_belong_to_their_task(self):
        zero = {"input": "0", "output": "0"}
        rerank, _ = price({"mode": "rerank", "input_cost_per_query": 0.002, "input_cost_per_token": 0.0})
        self.assertEqual(rerank, {**zero, "search_unit": "0.002"})
        speech, _ = price({"mode": "audio_speech", "input_cost_per_character": 1.5e-05})
        self.assertEqual(speech, {**zero, "characters": "15"})
        sound, _ = price({"mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0})
        self.assertEqual(sound, {**zero, "audio_second": "0.0001"})
        search, _ = price({"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06,
                           "search_context_cost_per_query": {"search_context_size_low": 0.005,
                                                             "search_context_size_high": 0.012}})
        self.assertEqual(search["web_search"], "0.012")

    def test_where_only_images_have_a_rate_plain_counts_are_images(self):
        found, _ = price({"mode": "image_generation", "input_cost_per_token": 5e-06, "output_cost_per_image_token": 3e-05})
        self.assertEqual(found, {"input": "5", "output": "30", "image_output": "30"})

    def test_that_are_zero_or_half_are_unknown_and_never_free(self):
        for row in ({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}, {"input_cost_per_token": 1e-06}, {}):
            found, left_out = price(row)
            self.assertIsNone(found, row)
            self.assertEqual(left_out["price is unknown"], ["m"])
        free, _ = price({"mode": "moderation", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0})
        self.assertEqual(free, {"input": "0", "output": "0"})

    def test_without_a_place_here_are_reported(self):
        _, left_out = price({"input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "output_cost_per_hologram": 3})
        self.assertEqual(left_out, {"no place for output_cost_per_hologram": ["m"]})


class Models(unittest.TestCase):
    def test_are_named_by_kind_and_by_the_name_that_the_provider_knows(self):
        row = lambda provider, mode="chat": {"litellm_provider": provider, "mode": mode}
        catalogue, _ = converted({
            "gemini/gemini-x": row("gemini"), "together_ai/meta/llama": row("together_ai"), "gpt-x": row("openai"),
            "vertex_ai/claude-x@2027": row("vertex_ai-anthropic_models"), "bedrock/us-east-1/titan": row("bedrock"),
            "azure/eu/gpt-x": row("azure"), "1024-x-1024/dall-e": row("openai", "image_generation"),
            "somebody/else": row("somebody"), "gpt-video": row("openai", "video_generation"), "ft:gpt-x": row("openai"),
        })
        expected = ["gemini/gemini-x", "openai/gpt-x", "together/meta/llama", "vertex/claude-x@2027"]
        self.assertEqual(sorted(catalogue["models"]), expected)

    def test_are_the_same_at_both_kinds_of_azure(self):
        row = {"litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
        catalogue, _ = converted({"azure/gpt-x": row})
        self.assertEqual([*catalogue["models"]], ["azure-openai/gpt-x", "azure-openai-classic/gpt-x"])
        self.assertEqual([price["model"] for price in catalogue["prices"]],
                         ["azure-openai-classic/gpt-x", "azure-openai/gpt-x"])

    def test_that_are_retired_are_left_out_and_those_to_come_keep_their_date(self):
        row = {"litellm_provider": "openai", "mode": "chat"}
        catalogue, left_out = converted({
            "old": {**row, "deprecation_date": "2027-06-30"}, "new": {**row, "deprecation_date": "2027-07-01"},
        })
        self.assertEqual([*catalogue["models"]], ["openai/new"])
        self.assertEqual(catalogue["models"]["openai/new"]["deprecation"], "2027-07-01")
        self.assertEqual(left_out["retired"], ["old"])

    def test_say_what_they_can_do_and_where_that_is_written(self):
        catalogue, _ = converted({"claude-x": {
            "litellm_provider": "anthropic", "mode": "chat", "max_input_tokens": 200000, "max_output_tokens": 64000,
            "supports_vision": True, "supports_pdf_input": True, "supports_function_calling": False,
            "supports_sampling_params": False, "source": "https://example.com/claude-x",
        }, "m": {"litellm_provider": "openai", "mode": "chat"}})
        self.assertEqual(catalogue["models"]["anthropic/claude-x"], {
            "context": 200000, "max_output": 64000, "task": "chat", "modalities_in": ["document", "image", "text"],
            "modalities_out": ["text"],
            "capabilities": {"tools": False, "vision": True, "documents": True, "sampling_fields": False},
            "source": "https://example.com/claude-x",
        })
        self.assertEqual(catalogue["models"]["openai/m"]["source"], "the table")

    def test_are_written_one_a_line_and_read_back(self):
        catalogue, _ = converted({"m": {"litellm_provider": "openai", "mode": "chat",
                                        "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}})
        text = convert.written(catalogue)
        self.assertEqual(json.loads(text), catalogue)
        self.assertEqual(len([line for line in text.splitlines() if line.startswith('"openai/m"')]), 1)


if __name__ == "__main__":
    unittest.main()
