// What providers say when they refuse a request, and how the next one is asked.
#include <doctest/doctest.h>
#include <zlib.h>

#include <boost/json.hpp>

#include "llm/content_decoder.hpp"
#include "llm/overflow.hpp"
#include "llm/provider_error.hpp"
#include "llm/response_reader.hpp"
#include "llm/wire.hpp"
#include "llm/wire_form.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

call full_call() {
  call c;
  c.target.model = "m";
  c.target.temperature = 0.5;
  c.target.top_p = 0.5;
  c.target.max_tokens = 10;
  c.messages = {{"system", "s", {}, {}}, {"user", "q", {}, {}}};
  c.tools = {{"clock", "", ""}};
  return c;
}

stream_end refused_with(unsigned status, std::string body, const call& c = full_call()) {
  return refused({status, std::move(body), {}, {}, 0}, c);
}

std::string packed(std::string_view text, int window_bits) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

// Fed byte by byte.
std::string unpacked(std::string_view coding, std::string_view bytes) {
  const auto decoder = content_decoder::make(coding);
  REQUIRE(decoder);
  std::string out;
  for (const char c : bytes)
    CHECK(decoder->feed({&c, 1}, [&](std::string_view part) { return out += part, true; }));
  return out;
}

}  // namespace

TEST_CASE("overflow: every provider's words are known, and the window where they name it") {
  struct row {
    unsigned status;
    const char* body;
    std::uint64_t window;
  };
  const row rows[] = {
      {400,
       R"({"error":{"message":"This model's maximum context length is 16385 tokens. However, your messages resulted in 20000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}})",
       16385},
      {400,
       R"({"error":{"message":"Input tokens exceed the configured limit of 272000 tokens.","code":"x"}})",
       272000},
      {400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 213462 tokens > 200000 maximum"}})",
       200000},
      {400,
       R"({"error":{"message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}})",
       0},
      {413,
       R"({"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}})",
       0},
      {400,
       R"({"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":2048}})",
       2048},
      {500,
       R"({"error":{"code":500,"message":"context size has been exceeded","type":"server_error"}})",
       0},
      {400,
       R"({"object":"error","message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","code":400})",
       4096},
      {400,
       R"({"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 8192 tokens and your request has 6000 input tokens","type":"BadRequestError"}})",
       8192},
      {500, R"({"error":"the input length exceeds the context length"})", 0},
      {500,
       R"({"error":{"code":500,"message":"input is too large to process. increase the physical batch size","type":"server_error"}})",
       0},
      {400,
       R"({"message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","code":"3051"})",
       32768},
      {400,
       R"([{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}])",
       1048576},
      {400,
       R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","code":"context_length_exceeded"}})",
       0},
      {413,
       R"({"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7241","type":"tokens","code":"rate_limit_exceeded"}})",
       0},
      {429,
       R"({"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000","code":"rate_limit_exceeded"}})",
       0},
      {400,
       R"({"error":"Trying to keep the first 4979 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."})",
       4096},
      {422,
       R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`","error_type":"validation"})",
       4096},
      {400,
       R"({"message":"Input is too long for requested model.","__type":"ValidationException"})", 0},
      {400,
       R"({"error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."})",
       131072},
      {413,
       R"({"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}})",
       8000},
      {400,
       R"({"error":{"message":"Your request exceeded model token limit: 131072","type":"invalid_request_error"}})",
       131072},
      {502,
       R"({"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"{\"message\":\"prompt is too long: 250,000 tokens > 200,000 maximum\"}"}}})",
       200000},
      {413, "<html>Request Entity Too Large</html>", 0},
      {400, R"({"object":"error","message":"max_tokens must be at least 1, got -200."})", 0},
  };
  for (const auto& r : rows) {
    CAPTURE(r.body);
    const auto end = refused_with(r.status, r.body);
    CHECK(end.error->code == "llm.context_exceeded");
    CHECK_FALSE(end.error->retryable);
    CHECK(end.context_window == r.window);
    CHECK_FALSE(end.form);
  }
  CHECK(refused_with(429, R"({"error":{"message":"Too many requests"}})").error->code ==
        "llm.rate_limited");
  CHECK(refused_with(400, R"({"error":{"message":"model m is not known"}})").error->code ==
        "llm.bad_request");
}

TEST_CASE("refusal: what a provider does not take is left out of the next request") {
  struct row {
    unsigned status;
    const char *message, *gone, *there;
  };
  const row rows[] = {
      {422, "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]", "stream_options",
       "max_tokens"},
      {400,
       "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
       "'max_completion_tokens' instead.",
       "\"max_tokens\"", "\"max_completion_tokens\":10"},
      {400,
       "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default "
       "(1) value is supported.",
       "temperature", "top_p"},
      {400, "`temperature` and `top_p` cannot both be specified for this model.", "top_p",
       "temperature"},
      {400, "registry.ollama.ai/library/gemma:2b does not support tools", "tools", "temperature"},
      {500, "tools param requires --jinja flag", "tools", "temperature"},
      {400,
       "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
       "tools", "stop"},
      {404, "No endpoints found that support tool use.", "tools", "temperature"},
      {400, "System role not supported", "\"system\"", "s\\n\\nq"},
      {400, "Developer instruction is not enabled for models/gemma-3", "\"system\"", "s\\n\\nq"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.message);
    auto c = full_call();
    c.target.stop = {"stop"};
    std::string body = R"({"error":{"message":)";
    body += boost::json::serialize(boost::json::string(r.message)) + "}}";
    CHECK(chat_body(c).find(r.gone) != std::string::npos);
    const auto form = refused_with(r.status, body, c).form;
    REQUIRE(form);
    c.form = *form;
    CHECK(chat_body(c).find(r.gone) == std::string::npos);
    CHECK(chat_body(c).find(r.there) != std::string::npos);
    CHECK_FALSE(refused_with(r.status, body, c).form);  // not asked so for ever
  }
  CHECK_FALSE(refused_with(400, R"({"error":{"message":"messages: too few"}})").form);
  CHECK_FALSE(refused_with(401, R"({"error":{"message":"tools are not supported"}})").form);
}

TEST_CASE("refusal: what is remembered of a provider is forgotten after its time") {
  wire_forms forms;
  wire_form form;
  form.no_tools = true;
  forms.learn("a", form, 1000);
  CHECK(forms.of("a", 1000 + limits::form_kept_ms) == form);
  CHECK(forms.of("a", 1001 + limits::form_kept_ms) == wire_form{});
  CHECK(forms.of("b", 1000) == wire_form{});
  // Of the model, which no setting of its server changes by itself.
  forms.learn_beginning("a", true);
  forms.learn("a", form, 1000);
  CHECK(forms.of("a", 1000).begins_in_thought);
  CHECK(forms.of("a", 1001 + limits::form_kept_ms).begins_in_thought);
  CHECK_FALSE(forms.of("a", 1001 + limits::form_kept_ms).no_tools);
}

TEST_CASE("refusal: a tenant with very many providers forgets its own, and no other's") {
  wire_forms forms;
  wire_form form;
  form.no_tools = true;
  forms.learn("a\nits model", form, 1000);
  for (std::size_t n = 0; n < 2 * limits::forms_kept_max; ++n)
    forms.learn("b\n" + std::to_string(n), form, 1000);
  forms.learn("c\nits model", form, 1000);
  CHECK(forms.of("a\nits model", 1000) == form);
  CHECK(forms.of("b\n" + std::to_string(2 * limits::forms_kept_max - 1), 1000) == form);
  CHECK(forms.of("c\nits model", 1000) == form);
}

TEST_CASE("refusal: a longer answer than the model gives is asked for as long as it is named") {
  struct row {
    const char* message;
    std::uint64_t most;
  };
  const row rows[] = {
      {"max_tokens is too large: 30000. This model supports at most 16384 completion tokens, "
       "whereas you provided 30000.",
       16384},
      {"`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is "
       "less than the `context_window` for this model",
       8192},
      {"max_tokens: 30000 > 4096, which is the maximum allowed number of output tokens for "
       "claude-3-haiku-20240307",
       4096},
      {"Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192},
      {"<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 2000]", 2000},
      {"it has a maxOutputTokens value of 30000 but the supported range is from 1 (inclusive) to "
       "8193 (exclusive)",
       8192},
      {"Invalid 'max_output_tokens': integer above maximum value. Expected a value <= 16,384, but "
       "got 30000 instead.",
       16384},
      {"The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum "
       "tokens value that is lower than 4096.",
       4096},
      {"max_tokens must be between 1 and 20480 for llama-3.1-8b-29000", 20480},
  };
  for (const auto wire :
       {wire_kind::openai_chat, wire_kind::openai_responses, wire_kind::anthropic})
    for (const auto& r : rows) {
      CAPTURE(r.message);
      auto c = full_call();
      c.target.wire = wire;
      c.target.max_tokens = 30000;
      std::string body = R"({"error":{"message":)";
      body += boost::json::serialize(boost::json::string(r.message)) + "}}";
      const auto form = refused_with(400, body, c).form;
      REQUIRE(form);
      CHECK(form->answer_tokens_max == r.most);
      c.form = *form;
      CHECK(make_request(c).body.find("tokens\":" + std::to_string(r.most)) != std::string::npos);
      CHECK_FALSE(refused_with(400, body, c).form);  // once
    }
}

TEST_CASE("refusal: the length of an answer that a program asks for itself is left to it") {
  const auto body = R"({"error":{"message":"max_tokens is too large: 30000. At most 4096."}})";
  auto c = full_call();
  c.raw_body = R"({"messages":[],"max_tokens":30000})";
  c.raw_members = {"messages", "max_tokens"};
  CHECK_FALSE(refused_with(400, body, c).form);
  c.raw_body = R"({"messages":[]})";
  c.raw_members = {"messages"};
  c.target.max_tokens = 30000;
  CHECK(refused_with(400, body, c).form->answer_tokens_max == 4096);
  CHECK_FALSE(refused_with(400, R"({"error":{"message":"max_tokens must be at least 5"}})").form);
}

TEST_CASE("refusal: a bound leaves thinking its room, or does without it") {
  auto c = full_call();
  c.target.wire = wire_kind::anthropic;
  c.target.reasoning_effort = "medium";
  c.form.answer_tokens_max = 8192;
  CHECK(make_request(c).body.find("\"budget_tokens\":4096") != std::string::npos);
  c.form.answer_tokens_max = 2048;
  CHECK(make_request(c).body.find("budget_tokens") == std::string::npos);
}

TEST_CASE("refusal: no credit, no such model and a moved address are for a fallback to mend") {
  CHECK(refused_with(402, "{}").elsewhere);
  CHECK(refused_with(404, "{}").elsewhere);
  CHECK(refused_with(307, "").elsewhere);
  CHECK(refused_with(400, R"({"error":{"code":"model_not_found","message":"x"}})").elsewhere);
  CHECK(refused_with(400, R"({"error":{"message":"Your credit balance is too low"}})").elsewhere);
  CHECK_FALSE(refused_with(400, R"({"error":{"message":"x"}})").elsewhere);
  CHECK(refused_with(301, "").error->detail.find("redirects") != std::string::npos);
  CHECK(refused_with(502, "<html><h1>Bad Gateway</h1></html>").error->detail.ends_with("web page"));
  const auto unpaid = refused_with(429, R"({"error":{"code":"insufficient_quota","message":"x"}})");
  CHECK(unpaid.error->code == "llm.rate_limited");
  CHECK_FALSE(unpaid.error->retryable);
  CHECK(unpaid.elsewhere);
  CHECK(refused_with(408, "{}").error->retryable);
}

TEST_CASE("content coding: gzip and deflate come off, in any pieces; others are not guessed at") {
  const std::string text = "data: {\"a\":1}\n\n" + std::string(100'000, 'x');
  CHECK(unpacked("gzip", packed(text, 31)) == text);
  CHECK(unpacked("X-GZIP", packed(text, 31)) == text);
  CHECK(unpacked("deflate", packed(text, 15)) == text);
  CHECK(unpacked("deflate", packed(text, -15)) == text);
  CHECK(unpacked("deflate, gzip", packed(packed(text, 15), 31)) == text);
  CHECK(unpacked("gzip", packed("one", 31) + packed("two", 31)) == "onetwo");
  CHECK(unpacked("", text) == text);
  CHECK(unpacked("identity", text) == text);
  CHECK_FALSE(content_decoder::make("br"));
  CHECK_FALSE(content_decoder::make("gzip, gzip, gzip, gzip"));
  const auto decoder = content_decoder::make("gzip");
  CHECK_FALSE(decoder->feed("not gzip at all", [](std::string_view) { return true; }));
}

TEST_CASE("content coding: no more comes off than is wanted, however little it came from") {
  const auto bytes = packed(packed(std::string(64 << 20, 'x'), 31), 31);
  REQUIRE(bytes.size() < 64 << 10);
  std::size_t seen = 0;
  const auto decoder = content_decoder::make("gzip, gzip");
  CHECK_FALSE(decoder->feed(bytes, [&](std::string_view part) {
    seen += part.size();
    return seen < 1 << 20;
  }));
  CHECK(seen < 2 << 20);
}

TEST_CASE("refusal: the caller's words are found in a long conversation, and only there") {
  auto c = full_call();
  const std::string filler(100'000, 'a');
  c.messages[1].text = filler + "my secret word is swordfish" + filler;
  const auto told = [&](std::string_view message) {
    return refused_with(400, R"({"error":{"message":")" + std::string(message) + "\"}}", c)
        .error->detail;
  };
  CHECK(told("no: secret word is no good").find("secret") == std::string::npos);
  CHECK(told("no: aaaaaaaaaaaa").find("aaaa") == std::string::npos);
  CHECK(told("no: aaaaaaaaaaab").find("aaaaaaaaaaab") != std::string::npos);
  CHECK(told("the model is too small").find("too small") != std::string::npos);
  c.messages[1].tool_calls = {{"", "1", "clock", R"({"zone":"Mars/Olympus_Mons"})"}};
  CHECK(told("there is no Mars/Olympus_Mons").find("Olympus") == std::string::npos);
}

TEST_CASE("response reader: a status line without a reason, and blank lines before it, are read") {
  const std::string answer =
      "\r\n\r\nHTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;note=\"x\"\r\nabc\r\n0\r\nTrailer: y\r\n\r\n";
  for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
    CAPTURE(cut);
    std::string body;
    response_reader reader([&](std::string_view bytes) { body += bytes; });
    CHECK(reader.feed(std::string_view(answer).substr(0, cut)));
    CHECK(reader.feed(std::string_view(answer).substr(cut)));
    CHECK(reader.status() == 200);
    CHECK(reader.done());
    CHECK(body == "abc");
  }
}
