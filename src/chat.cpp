// `soma chat`: a terminal client over the public API alone. Ctrl-C stops the answer; a second one,
// or at the prompt the first or Ctrl-D, ends the program. A lost connection is taken up again at
// the last event.
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <thread>

#include "api_client.hpp"
#include "commands.hpp"
#include "core/event.hpp"
#include "core/loopback.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

constexpr int reconnects_max = 60;  // one a second: as long as a restart may take

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

// Prints one turn as it streams in.
class turn_printer final : public event_reader {
 public:
  turn_printer(http_client& client, std::string session, std::string turn, std::string after)
      : event_reader(std::move(after)),
        client_(client),
        session_(std::move(session)),
        turn_(std::move(turn)) {}

  bool done() const override { return done_; }

  void between() override {
    if (!interrupted || stopping_) return;
    stopping_ = true;
    boost::json::object action{{"session_id", session_}, {"action", "stop"}};
    client_.post("/v1/session/action", boost::json::serialize(action), new_uuid());
  }

 private:
  void on_event(const event& e) override {
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
    std::fwrite(b.text.data() + skip, 1, b.text.size() - skip, stdout);
    std::fflush(stdout);
    shown_ = b.offset + b.text.size();
  }
  void on(const body::llm_restart& b) {
    if (b.turn_id != turn_) return;
    std::fputs("\n[the answer starts over]\n", stdout);
    shown_ = 0;
  }
  void on(const body::tool_call& b) {
    if (b.turn_id == turn_) std::printf("\n[tool %s]\n", b.tool_id.c_str());
  }
  void on(const body::error& b) {
    if (b.turn_id == turn_)
      std::fprintf(stderr, "\n%s: %s\n", b.what.code.c_str(), b.what.detail.c_str());
  }
  void on(const body::message_assistant& b) {
    if (b.turn_id == turn_ && b.final) done_ = true;
  }
  void on(const body::session_close&) { done_ = true; }
  template <class Other>
  void on(const Other&) {}

  http_client& client_;
  std::string session_, turn_, message_;
  std::size_t shown_ = 0;
  bool done_ = false, stopping_ = false;
};

bool run_turn(http_client& client, const std::string& session, const answer& accepted) {
  turn_printer turn(client, session, text_of(accepted.body, "message_id"),
                    text_of(accepted.body, "event_id"));
  follow(client, session, turn);
  std::puts("");
  return turn.done();
}

}  // namespace

int chat(const chat_options& options) {
  http_client client(server_url(options.url), options.key);
  std::string session = options.session, line;
  const bool terminal = isatty(STDIN_FILENO) != 0;
  while (take_one_interrupt(), (terminal ? std::fputs("> ", stdout) : 0), std::fflush(stdout),
         std::getline(std::cin, line)) {
    if (line.empty()) continue;
    boost::json::object message{{"message", line}};
    if (!session.empty()) message["session_id"] = session;
    const auto body = boost::json::serialize(message);
    const auto key = new_uuid();
    answer accepted;
    for (int tries = 0; accepted.status == 0 && tries < reconnects_max; ++tries) {
      if (tries > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
      accepted = client.post("/v1/session/message", body, key);
    }
    if (accepted.status != 202) {
      std::fprintf(stderr, "soma: %s\n",
                   accepted.status == 0 ? "the server cannot be reached"
                                        : text_of(accepted.body, "detail").c_str());
      return 1;
    }
    session = text_of(accepted.body, "session_id");
    if (!run_turn(client, session, accepted)) return 1;
  }
  if (!session.empty()) std::fprintf(stderr, "session %s\n", session.c_str());
  return 0;
}

}  // namespace soma
