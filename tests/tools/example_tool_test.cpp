// The tool that docs/tools.md adds: it compiles as it is written there, is in the documentation
// word for word, and runs through the runner.
#include "../../docs/examples/shout.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <future>
#include <iterator>

#include "tools/catalog_runner.hpp"

using namespace soma;
using namespace soma::tools;

namespace {

std::string text_in(const std::string& file) {
  std::ifstream in(SOMA_DOCS_FOLDER "/" + file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  REQUIRE_FALSE(text.empty());
  return text;
}

struct no_changes final : catalog_store {
  result<std::vector<row>> load() override { return std::vector<row>(); }
  result<void> put(const row&) override { return {}; }
  std::string digest(std::string_view) const override { return {}; }
};

}  // namespace

TEST_CASE("documentation: the tool in ten lines is the one that is compiled here") {
  const auto page = text_in("tools.md");
  CHECK(page.find("```json\n" + text_in("examples/shout.json") + "```") != page.npos);
  CHECK(page.find("```cpp\n" + text_in("examples/shout.hpp") + "```") != page.npos);
  // What else it says to write still fits where it is to be written.
  const auto parts = text_in("../src/node/tools.cpp");
  CHECK(parts.find("runner_.add(\"echo\", tools::make_echo());") != parts.npos);
}

TEST_CASE("documentation: the tool in ten lines runs") {
  no_changes store;
  auto entry = parse_entry(text_in("examples/shout.json"));
  REQUIRE(entry.has_value());
  catalog all({*entry}, store);
  REQUIRE(all.load().has_value());
  catalog_runner runner({all, [](const auto&, auto, const auto&, const auto& then) {
                           then(verdict{true, "r", ""});
                         }});
  runner.add("shout", std::make_shared<shout>());
  std::promise<tool_outcome> said;
  body::tool_call call;
  call.tool_id = "shout";
  call.inputs_json = R"({"text":"hey"})";
  const auto running =
      runner.start({{tenant_id("t"), session_id("s")}, "ann"}, call,
                   {{}, [&](tool_outcome outcome) { said.set_value(std::move(outcome)); }});
  CHECK(said.get_future().get().output_json == R"({"text":"HEY"})");
}
