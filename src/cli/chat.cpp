// `soma chat`: a terminal client over the public API alone. Ctrl-C stops the answer; a second one,
// or the first where nothing runs or the server is away, or Ctrl-D, ends the program. A lost
// connection is taken up again at the last event. Exit status: 0 where the last answer was whole.
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "cli/api_client.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "core/event.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

constexpr int tries_max = 60;  // one a second: as long as a restart may take
constexpr int tries_unsaid = 4;

volatile std::sig_atomic_t interrupted = 0;
void on_interrupt(int) {
  interrupted = 1;
}

// The next Ctrl-C is taken once, and ends a read of the terminal; the one after it ends the
// program.
void take_one_interrupt() {
  interrupted = 0;
  struct sigaction how {};
  how.sa_handler = on_interrupt;
  how.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &how, nullptr);
}

// Says once that the server is away; what follows is tries.
class away_notice {
 public:
  explicit away_notice(const http_client& client) : client_(client) {}
  void say() {
    if (std::exchange(said_, true)) return;
    complain("not reachable at " + client_.base() + ", trying for a minute (Ctrl-C ends it)");
  }
  bool said() const { return said_; }
  void over() { said_ = false; }

 private:
  const http_client& client_;
  bool said_ = false;
};

// Prints one turn as it streams in.
class turn_printer final : public event_reader {
 public:
  turn_printer(http_client& client, std::string session, std::string turn, std::string after)
      : event_reader(std::move(after)),
        client_(client),
        away_(client),
        session_(std::move(session)),
        turn_(std::move(turn)) {}

  bool done() const override { return done_ || (final_ && clock::now() > last_chance_); }
  bool failed() const { return failed_; }

  void between() override {
    if (!interrupted || stopping_) return;
    stopping_ = true;
    boost::json::object action{{"session_id", session_}, {"action", "stop"}};
    client_.insist("/v1/session/action", boost::json::serialize(action), new_uuid());
  }
  // A restart is over before it is worth a line in the middle of an answer.
  void on_away() override {
    if (++tries_ < tries_unsaid) return;
    if (tries_ == tries_unsaid) show("\n");
    away_.say();
  }

 private:
  void on_event(const event& e) override {
    away_.over();
    tries_ = 0;
    std::visit([this](const auto& b) { on(b); }, e.body);
  }

  void on(const body::llm_delta& b) {
    if (b.turn_id != turn_ || b.thinking) return;
    if (b.message_id != message_) {
      message_ = b.message_id;
      shown_ = 0;
    }
    // After a resume the first bytes may have been shown already.
    const auto skip = b.offset < shown_ ? std::min(shown_ - b.offset, b.text.size()) : 0;
    show(std::string_view(b.text).substr(skip));
    shown_ = b.offset + b.text.size();
  }
  void on(const body::llm_restart& b) {
    if (b.turn_id != turn_) return;
    show("\n[the answer starts over]\n");
    shown_ = 0;
  }
  void on(const body::tool_call& b) {
    if (b.turn_id == turn_) show("\n[tool " + b.tool_id + "]\n");
  }
  void on(const body::llm_request& b) {
    if (b.turn_id == turn_) open_call_ = true;
  }
  void on(const body::llm_complete& b) {
    if (b.turn_id != turn_) return;
    open_call_ = false;
    if (final_ && !b.error) done_ = true;
  }
  void on(const body::error& b) {
    if (b.turn_id != turn_) return;
    failed_ = true;
    if (final_) done_ = true;
    std::fflush(stdout);
    write_to(stderr, "\n" + b.what.code + ": " + b.what.detail + "\n");
  }
  void on(const body::message_assistant& b) {
    if (b.turn_id != turn_ || !b.final) return;
    final_ = true;
    // What became of it follows: the end of the open call, and an error where there is one. Without
    // an open call nothing has to.
    last_chance_ = clock::now() + std::chrono::milliseconds(open_call_ ? 10'000 : 300);
  }
  void on(const body::session_close&) { done_ = failed_ = true; }
  template <class Other>
  void on(const Other&) {}

  http_client& client_;
  away_notice away_;
  std::string session_, turn_, message_;
  std::size_t shown_ = 0;
  using clock = std::chrono::steady_clock;
  clock::time_point last_chance_;
  bool final_ = false, open_call_ = false;
  int tries_ = 0;
  bool done_ = false, stopping_ = false, failed_ = false;
};

enum class turn_end { good, failed, lost };

turn_end run_turn(http_client& client, const std::string& session, const answer& accepted) {
  turn_printer turn(client, session, text_of(accepted.body, "message_id"),
                    text_of(accepted.body, "event_id"));
  const auto end = follow(client, session, turn);
  show("\n");
  if (end.status != 200) complain(reason_of(client, end));
  if (end.status != 200) return turn_end::lost;
  return turn.failed() ? turn_end::failed : turn_end::good;
}

answer send(http_client& client, const std::string& session, const std::string& text) {
  boost::json::object message{{"message", text}};
  if (!session.empty()) message["session_id"] = session;
  const auto body = boost::json::serialize(message);
  const auto key = new_uuid();
  away_notice away(client);
  answer got;
  for (int tries = 0; tries < tries_max; ++tries) {
    got = client.post("/v1/session/message", body, key);
    if (got.status != 0 || client.given_up()) break;
    away.say();
    wait_a_second(client);
    if (client.given_up()) break;
  }
  return got;
}

// Before the first question is typed in vain.
void look_for(http_client& client) {
  if (client.get("/healthz").status == 0 && !client.given_up()) away_notice(client).say();
}

}  // namespace

int chat(const chat_options& options) {
  http_client client(server_of(options.url), options.key, [] { return interrupted != 0; });
  std::string session = options.session, line;
  const bool terminal = isatty(STDIN_FILENO) != 0;
  auto last = turn_end::good;
  take_one_interrupt();
  if (terminal) look_for(client);
  if (client.given_up()) return 130;
  while (take_one_interrupt(), (terminal ? show("> ") : void()), std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const auto accepted = send(client, session, line);
    if (accepted.status != 202) {
      complain(reason_of(client, accepted));
      return client.given_up() ? 130 : 1;
    }
    session = text_of(accepted.body, "session_id");
    last = run_turn(client, session, accepted);
    if (last == turn_end::lost) return client.given_up() ? 130 : 1;
  }
  if (!session.empty()) write_to(stderr, "session " + session + "\n");
  return last == turn_end::good ? 0 : 1;
}

}  // namespace soma
