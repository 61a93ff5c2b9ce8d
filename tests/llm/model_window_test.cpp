#include "llm/model_window.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace soma::llm;

TEST_CASE("model window: it is found where each server tells it") {
  struct row {
    const char* entry;
    std::uint64_t tokens;
    bool served;
  };
  const row rows[] = {
      {R"("max_model_len":8192)", 8192, true},
      {R"("context_length":131072,"top_provider":{"context_length":1})", 131072, true},
      {R"("context_window":131072,"owned_by":"x")", 131072, true},
      {R"("max_context_length":32768,"loaded_context_length":4096)", 4096, true},
      {R"("meta":{"n_ctx":1024,"n_ctx_train":8192})", 1024, true},
      {R"("meta":{"n_ctx_train":8192})", 8192, false},
      {R"("top_provider":{"context_length":9000})", 9000, true},
      {R"("context_length":0)", 0, true},
      {R"("context_length":"many")", 0, true},
      {R"("owned_by":"x")", 0, true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.entry);
    const std::string list = R"({"object":"list","data":[{"id":"other","context_length":700},)"
                             R"({"id":"m",)" +
                             std::string(r.entry) + "}]}";
    const auto told = window_in_list(list, "m");
    CHECK(told.tokens == r.tokens);
    if (r.tokens > 0) CHECK(told.served == r.served);
    CHECK(window_in_list(list, "unknown").tokens == 0);
  }
  CHECK(window_in_list(R"({"data":[{"id":"/path/x.gguf","meta":{"n_ctx":512}}]})", "m").tokens ==
        512);
  CHECK(window_in_list("<html>", "m").tokens == 0);
}

TEST_CASE("model window: llama.cpp's properties and Ollama's description are read") {
  CHECK(
      window_in_props(R"({"default_generation_settings":{"n_ctx":2048},"total_slots":2})").tokens ==
      2048);
  CHECK(window_in_props("{}").tokens == 0);
  const auto set = window_in_description(
      R"({"parameters":"stop \"x\"\nnum_ctx                        16384\n",
          "model_info":{"llama.context_length":131072}})");
  CHECK(set.tokens == 16384);
  CHECK(set.served);
  const auto trained = window_in_description(R"({"model_info":{"llama.context_length":131072}})");
  CHECK(trained.tokens == 131072);
  CHECK_FALSE(trained.served);
  CHECK(window_in_description("[]").tokens == 0);
}
