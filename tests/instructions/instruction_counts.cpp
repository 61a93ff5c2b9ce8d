// Runs one piece of work on a fixed input inside the function `counted`, whose instructions
// callgrind counts; tests/instructions/check.py holds the counts against those of before. A piece
// of work has no clock, no thread and no randomness, so that the same build gives the same count.
//
//   instruction_counts --list
//   instruction_counts NAME
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/session_core.hpp"
#include "core/session_feed.hpp"
#include "core/sse_parser.hpp"
#include "http/net/request_parser.hpp"
#include "llm/anthropic_stream.hpp"
#include "llm/chat_stream.hpp"
#include "llm/responses_stream.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_record.hpp"
#include "security/digest.hpp"

// What callgrind looks for. Never inlined, and by a name that is not mangled.
extern "C" __attribute__((noinline)) void counted(const std::function<void()>& work) {
  work();
}

namespace {

using namespace soma;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the work is not what it shall be: %s\n", what);
  std::exit(1);
}

std::vector<std::string> golden_lines() {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(SOMA_GOLDEN_LOGS))
    if (file.path().extension() == ".ndjson") files.push_back(file.path());
  std::sort(files.begin(), files.end());
  std::vector<std::string> lines;
  for (const auto& file : files) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
  }
  require(lines.size() > 50, "the golden logs");
  return lines;
}

std::vector<event> golden_events() {
  std::vector<event> events;
  for (const auto& line : golden_lines()) {
    auto e = decode(line);
    require(e.has_value(), "an event of the golden logs");
    events.push_back(*e);
  }
  return events;
}

void encode_events() {
  const auto events = golden_events();
  std::size_t bytes = 0;
  counted([&] {
    for (int i = 0; i < 10; ++i)
      for (const auto& e : events) bytes += encode(e).size();
  });
  require(bytes > 500'000, "encoded text");
}

void decode_events() {
  const auto lines = golden_lines();
  std::size_t read = 0;
  counted([&] {
    for (int i = 0; i < 10; ++i)
      for (const auto& line : lines) read += decode(line).has_value();
  });
  require(read == 10 * lines.size(), "every line is read");
}

void fold_events() {
  const auto events = golden_events();
  std::size_t turns = 0;
  counted([&] {
    for (int i = 0; i < 20; ++i) {
      std::unique_ptr<session_state> state;
      for (const auto& e : events) {
        if (!state || e.meta.id.seq == 1) state = std::make_unique<session_state>();
        apply(*state, e);
        state->seq = e.meta.id.seq;
      }
      turns += state->seq;
    }
  });
  require(turns > 0, "a folded session");
}

std::string request_text(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost:21016\r\nAuthorization: Bearer sk-0123456789abcdef0123\r\n"
         "User-Agent: fixed/1.0\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
         "Content-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void parse_requests() {
  const std::string texts[] = {
      request_text("/v1/sessions/11111111-2222-4333-8444-555555555555/events",
                   R"({"name":"bench","data":{"t":1,"p":")" + std::string(180, 'x') + "\"}}"),
      request_text("/v1/chat/completions",
                   R"({"model":"m","messages":[{"role":"user","content":")" +
                       std::string(2000, 'y') + "\"}]}"),
  };
  std::size_t bodies = 0;
  counted([&] {
    for (int i = 0; i < 500; ++i) {
      for (const auto& text : texts) {
        http::head_scanner scanner;
        // As it comes from a socket: the head in two pieces, the body in what follows.
        (void)scanner.scan(std::string_view(text).substr(0, 60));
        if (scanner.scan(text) != http::head_scanner::outcome::complete) std::abort();
        http::request_context ctx;
        http::request_parser parser(ctx, 100);
        const std::string_view whole(text);
        if (parser.parse_head(whole.substr(0, scanner.head_size()))) std::abort();
        std::string body;
        (void)parser.parse_body(whole.substr(scanner.head_size()), body, 1 << 20);
        bodies += parser.is_done() ? body.size() : 0;
      }
    }
  });
  require(bodies > 1'000'000, "every body is read");
}

constexpr int words = 400;

template <class Parser>
void parse_stream(const std::string& stream) {
  std::size_t said = 0;
  counted([&] {
    for (int i = 0; i < 5; ++i) {
      Parser answer([&](std::string text, bool) { said += text.size(); },
                    [](std::string_view message) { return std::string(message); });
      sse_parser events(64 * 1024);
      const auto on_data = [&](std::string_view data) { answer.on_data(data); };
      // Pieces of a socket's read under load, which cut lines anywhere.
      for (std::size_t at = 0; at < stream.size(); at += 1400)
        (void)events.feed(std::string_view(stream).substr(at, 1400), on_data);
      events.finish(on_data);
      (void)answer.finish();
    }
  });
  require(said == std::size_t{5} * words * 5, "every word is heard");
}

void parse_chat_stream() {
  const std::string begin =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)";
  std::string stream =
      begin + R"({"role":"assistant","content":""},"finish_reason":null}]})" + "\n\n";
  for (int i = 0; i < words; ++i)
    stream += begin + R"({"content":"word "},"finish_reason":null}]})" + "\n\n";
  stream += begin +
            R"({},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":400}})" +
            "\n\ndata: [DONE]\n\n";
  parse_stream<llm::chat_stream>(stream);
}

void parse_anthropic_stream() {
  std::string stream =
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"role\":"
      "\"assistant\",\"content\":[],\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_"
      "tokens\":1}}}\n\n"
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
      "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
  for (int i = 0; i < words; ++i)
    stream +=
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"word \"}}\n\n";
  stream +=
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
      "\"end_turn\"},\"usage\":{\"output_tokens\":400}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  parse_stream<llm::anthropic_stream>(stream);
}

void feed_readers() {
  std::vector<std::string> payloads;
  for (const auto& e : golden_events()) payloads.push_back(encode(e));
  std::size_t taken = 0;
  counted([&] {
    feed_registry registry(2, {});
    registry.wakers().set_waker(0, [] {});
    registry.wakers().set_waker(1, [] {});
    const session_key key{tenant_id{"t"}, session_id{"s"}};
    const auto feed = registry.acquire(key);
    feed->attach(0);
    feed->attach(1);
    std::uint64_t seq = 0;
    std::uint64_t cursors[20] = {};
    std::vector<feed_frame> out;
    for (int i = 0; i < 2000; ++i) {
      // A commit of four events, then all readers take what is there.
      std::vector<feed_frame> frames;
      for (int n = 0; n < 4; ++n) {
        ++seq;
        frames.push_back(
            make_feed_frame({1, seq}, event_type::llm_delta, payloads[seq % payloads.size()]));
      }
      if (const auto found = registry.find(key)) found->publish(frames);
      for (unsigned thread = 0; thread < 2; ++thread)
        for (const auto& woken : registry.wakers().take(thread)) woken->drain(thread);
      for (auto& cursor : cursors) {
        out.clear();
        feed->copy_after(cursor, 64, 64 * 1024, out);
        if (!out.empty()) cursor = out.back().id.seq;
        taken += out.size();
      }
    }
  });
  require(taken == 20 * 8000, "every reader has every frame");
}

void steps_of_turns() {
  std::size_t events = 0, replies = 0;
  counted([&] {
    session_state state;
    state.key = {tenant_id{"t"}, session_id{"11111111-2222-4333-8444-555555555555"}};
    const session_rules rules;
    std::int64_t now = 1'700'000'000'000;
    std::string invocation;
    const auto take = [&](const session_input& in) {
      const auto actions = step(state, rules, now += 10, in);
      events += actions.append.size();
      for (const auto* list : {&actions.now, &actions.then}) {
        for (const auto& a : *list) {
          if (const auto* s = std::get_if<action::start_llm>(&a)) invocation = s->invocation_id;
          replies += std::holds_alternative<action::reply>(a);
        }
      }
    };
    input::activated begin;
    begin.epoch = 1;
    begin.id_seed[0] = 7;
    begin.id_seed[1] = 11;
    take(begin);
    for (std::uint64_t turn = 0; turn < 20; ++turn) {
      input::message message;
      message.text = "What is to be said of the weather today, and of that of tomorrow?";
      if (turn == 0) message.create = input::open{};
      input::commanded said;
      said.who.token = turn + 1;
      said.who.from = {"u", "request", "trace"};
      said.what = message;
      take(said);
      for (int word = 0; word < 60; ++word) take(input::llm_piece{invocation, "word ", false});
      input::llm_done done;
      done.invocation_id = invocation;
      done.finish_reason = "stop";
      done.usage = {100, 60};
      take(done);
      for (int n = 0; n < 10; ++n) {
        input::commanded told;
        told.who.token = 1000 + turn * 10 + static_cast<std::uint64_t>(n);
        told.who.from = {"u", "request", "trace"};
        told.what = input::app_event{"bench", R"({"t":1,"p":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})"};
        take(told);
      }
    }
  });
  require(replies == 20 * 11 && events > 20 * 70, "turns that end");
}

// What one record costs beside its writing: the note, the record, and both chained.
void chain_records() {
  std::size_t bytes = 0;
  counted([&] {
    security::audit_place place;
    security::audit_tree tree;
    security::audit_record r;
    r.what = "conversation.send";
    r.tenant_id = "default";
    r.user_id = r.role = "admin";
    r.why = "talk";
    r.operation = "append_event";
    r.door = "http";
    r.resource = r.session_id = r.request_id = "11111111-2222-4333-8444-555555555555";
    r.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (int i = 0; i < 1000; ++i) {
      r.outcome = "interrupted";
      bytes += security::audit_line(r, 1'700'000'000'000 + i).size();
      r.outcome = "done";
      const auto line = security::audit_line(r, 1'700'000'000'001 + i);
      bytes +=
          security::audit_chained(place, std::string_view(line).substr(1, line.size() - 2)).size();
      tree.add(place.hash);
    }
    bytes += tree.root().size();
  });
  require(bytes > 700'000, "records of some length");
}

// Secrets of one length that differ in one place: check.py wants the same count wherever that is.
template <std::size_t Differs>
void compare_secrets() {
  const std::string held(64, 'a');
  auto given = held;
  if (Differs < given.size()) given[Differs] = 'b';
  std::size_t same = 0;
  counted([&] {
    for (int i = 0; i < 1000; ++i) same += security::constant_time_equal(held, given) ? 1 : 0;
  });
  require(same == (Differs < held.size() ? 0 : 1000), "what is equal, and what is not");
}

struct work {
  const char* name;
  void (*run)();
};

constexpr work all[] = {
    {"codec.encode", encode_events},
    {"codec.decode", decode_events},
    {"core.fold", fold_events},
    {"core.step", steps_of_turns},
    {"feed.readers", feed_readers},
    {"parser.request", parse_requests},
    {"parser.chat_stream", parse_chat_stream},
    {"parser.anthropic_stream", parse_anthropic_stream},
    {"audit.record", chain_records},
    {"secret.first_differs", compare_secrets<0>},
    {"secret.last_differs", compare_secrets<63>},
    {"secret.none_differs", compare_secrets<64>},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc == 2 ? argv[1] : "";
  for (const auto& w : all) {
    if (name == "--list") std::puts(w.name);
    if (name != w.name) continue;
    w.run();
    return 0;
  }
  return name == "--list" ? 0 : 2;
}
