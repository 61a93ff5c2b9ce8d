// Documents of providers that are long: looked at while they come, counted while they are there.
#include <doctest/doctest.h>

#include "core/byte_budget.hpp"
#include "llm/collector.hpp"
#include "llm/document_parser.hpp"
#include "llm/kept_document.hpp"
#include "llm/scripted_server.hpp"

using namespace soma;
using test::peer;
using test::scripted_server;

namespace {

std::unique_ptr<llm::document_parser> parser(bool in_pieces) {
  return std::make_unique<llm::document_parser>(
      [](std::string, bool) {}, [](std::string_view said) { return std::string(said); }, true,
      in_pieces);
}

// What became of it, as text: two ways of reading must agree in all of it.
std::string told(const llm::stream_end& end) {
  if (end.error)
    return end.error->code + ": " + end.error->detail + (end.error->retryable ? " again" : "");
  return "ok " + std::to_string(end.usage.prompt_tokens);
}

std::string told_whole(const std::string& document) {
  const auto reads = parser(false);
  reads->on_data(document);
  return told(reads->finish());
}

std::string told_in_pieces(std::string_view document, std::size_t bytes) {
  const auto reads = parser(true);
  REQUIRE(reads->reads_pieces());
  for (; !document.empty(); document.remove_prefix(std::min(bytes, document.size())))
    reads->on_document_piece(document.substr(0, bytes));
  reads->on_document_end();
  return told(reads->finish());
}

std::string vectors(std::size_t bytes) {
  std::string out = R"({"object":"list","data":[{"object":"embedding","embedding":[)";
  while (out.size() < bytes) out += "-0.006929283495992422,\n";
  return out + "1]}],\"usage\":{\"prompt_tokens\":7}}";
}

test::connection_script gives(std::string document) {
  return [document = std::move(document)](peer& p) {
    p.read_request();
    p.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
            std::to_string(document.size()) + "\r\n\r\n" + document);
  };
}

llm::call asks(const scripted_server& server, const std::string& tenant) {
  llm::call c;
  c.target.base_url = server.base_url();
  c.target.model = "m";
  c.purpose = llm::purpose::embeddings;
  c.raw_body = R"({"input":"a"})";
  c.raw_members = {"input"};
  c.tenant = tenant;
  return c;
}

struct taken {
  std::shared_ptr<std::shared_ptr<llm::kept_document>> document =
      std::make_shared<std::shared_ptr<llm::kept_document>>();
  test::collector got;

  llm::stream_sink sink() {
    auto out = got.sink();
    out.on_document = [into = document](std::shared_ptr<llm::kept_document> one) {
      *into = std::move(one);
    };
    return out;
  }
};

}  // namespace

TEST_CASE("documents: one that is read in pieces, of any size, is what it is when read whole") {
  for (
      const std::string document : {
          R"({"data":[{"embedding":[0.5,-1,2e-3,18446744073709551615]}],"usage":{"prompt_tokens":7}})",
          R"({"usage":{"prompt_tokens":7,"total":{"prompt_tokens":9}},"data":[]} )",
          R"({"usage":{"prompt_tokens":-7},"data":[],"other":{"error":{"message":"no"}}})",
          R"({"usage":{"prompt_tokens":1e30},"data":[]})",
          R"({"usage":[{"prompt_tokens":1}],"data":[],"error":"none"})",
          R"({"data":[],"error":null})",
          R"({"error":{"message":"it \u00fcs broken","type":"server_error","code":"x"}})",
          R"({"error":{"message":"slow down","code":"rate_limit_exceeded"},"data":[]})",
          R"({"error":{"inner":{"message":"deep"},"message":5,"code":429}})",
          R"([{"error":{"message":"in a list","code":"UNAVAILABLE"}}])",
          R"([{"data":[1,2]}])",
          R"([1,{"data":[]}])",
          R"([[{"data":[]}]])",
          R"({"data":{"data":[]}})",
          R"({"d\u0061ta":[]})",
          R"({"database":[],"data_of_a_name_that_is_long":[]})",
          R"({"embedding":[1]})",
          R"({})",
          R"({"data":[1,]})",
          R"({"data":[1]}x)",
          R"({"data":[1]}{"data":[1]})",
          R"({"data":[1])",
          R"({"data":[NaN]})",
      }) {
    CAPTURE(document);
    const auto expected = told_whole(document);
    for (const std::size_t bytes : {1, 2, 3, 7, 4096})
      CHECK(told_in_pieces(document, bytes) == expected);
  }
  CHECK(told_in_pieces(vectors(100'000), 16 * 1024) == "ok 7");
  // It is handed on as it is, so it has to be what any reader takes.
  CHECK(told_in_pieces("{\"data\":[\"\xff\"]}", 3) == told_in_pieces("{\"data\":[NaN]}", 3));
}

TEST_CASE("documents: all that are held count, one tenant has half, and what is sent goes") {
  constexpr auto piece = llm::kept_document::piece_bytes;
  const auto budget = std::make_shared<byte_budget>(8 * piece);
  const std::string bytes(piece, 'x');
  llm::kept_document one(budget, "a"), two(budget, "a"), other(budget, "b");
  CHECK(one.add(bytes.substr(0, llm::kept_document::uncounted_bytes)));
  CHECK(budget->bytes_held() == 0);
  CHECK(one.add(bytes));
  CHECK(one.add(bytes));
  CHECK(budget->bytes_held() == 3 * piece);
  CHECK_FALSE(two.add(bytes));  // and is what it was
  CHECK(two.size() == 0);
  CHECK(other.add(bytes));
  std::size_t sent = 0;
  for (auto next = one.take(); !next.empty(); next = one.take()) sent += next.size();
  CHECK(sent == 2 * piece + llm::kept_document::uncounted_bytes);
  CHECK(budget->bytes_held() == 2 * piece);  // the other's
  CHECK(two.add(bytes));
  CHECK(two.take_whole() == bytes);
  CHECK(budget->bytes_held() == 4 * piece);
}

TEST_CASE("documents: embeddings are handed on in pieces, and refused where there is no room") {
  const auto document = vectors(700'000);
  scripted_server server({gives(document)});
  llm::client_options options;
  options.documents = std::make_shared<byte_budget>(2u << 20);
  const auto client = llm::make_provider_client(options);
  taken first, second, elsewhere, third;
  const auto a = client->start(asks(server, "a"), first.sink());
  CHECK(!first.got.end().error);
  REQUIRE(*first.document);
  const auto b = client->start(asks(server, "a"), second.sink());
  const auto refused = second.got.end();
  REQUIRE(refused.error);
  CHECK(refused.error->code == "server.busy");
  CHECK(refused.retry_after_ms == llm::limits::documents_retry_ms);
  CHECK_FALSE(*second.document);
  const auto c = client->start(asks(server, "b"), elsewhere.sink());
  CHECK(!elsewhere.got.end().error);
  std::string all;
  for (auto piece = (*first.document)->take(); !piece.empty(); piece = (*first.document)->take()) {
    CHECK(piece.size() <= llm::kept_document::piece_bytes);
    all += piece;
  }
  CHECK(all == document);
  const auto d = client->start(asks(server, "a"), third.sink());
  const auto end = third.got.end();
  CHECK(!end.error);
  CHECK(end.usage.prompt_tokens == 7);
}

TEST_CASE("documents: one that no budget of its tenant can hold is too long, not told to wait") {
  const auto document = vectors(700'000);
  scripted_server server({gives(document)});
  llm::client_options options;
  options.documents = std::make_shared<byte_budget>(1u << 20);
  const auto client = llm::make_provider_client(options);
  taken one;
  const auto handle = client->start(asks(server, "a"), one.sink());
  const auto end = one.got.end();
  REQUIRE(end.error);
  CHECK(end.error->code == "llm.bad_stream");
}

TEST_CASE("documents: embeddings that are none reach nobody, and one that is too long is refused") {
  llm::client_options options;
  options.embeddings_bytes_max = 300'000;
  const auto client = llm::make_provider_client(options);
  for (const std::string& document :
       {vectors(200'000) + "x", vectors(400'000), vectors(200'000).substr(0, 150'000)}) {
    scripted_server server({gives(document)});
    taken one;
    const auto handle = client->start(asks(server, "a"), one.sink());
    const auto end = one.got.end();
    REQUIRE(end.error);
    CHECK(end.error->code == "llm.bad_stream");
    CHECK_FALSE(*one.document);
  }
}
