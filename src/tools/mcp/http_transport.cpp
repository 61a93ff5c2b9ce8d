#include "tools/mcp/http_transport.hpp"

#include <algorithm>
#include <map>

#include "tools/mcp/http_exchange.hpp"
#include "tools/mcp/limits.hpp"

namespace soma::tools::mcp {
namespace {

using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;
using header_pairs = std::vector<std::pair<std::string, std::string>>;

class http_transport final : public transport {
 public:
  http_transport(const http_settings& what, loop& on) : what_(what), loop_(on) {}

  bool over_http() const override { return true; }

  void open(transport_sink sink) override {
    sink_ = std::move(sink);
    soon([this] { sink_.on_open(); });
  }

  void speak(std::string_view revision) override { revision_ = revision; }

  void send(outgoing message) override {
    exchange_request request;
    request.id = message.id;
    request.headers = headers(message);
    const bool reply = message.id == 0 && message.method.empty();
    if (reply && replies_ >= limits::replies_in_flight_max) return;
    if (reply) ++replies_;
    request.body = std::move(message.json);
    begin(std::move(request), {}, reply);
  }

  void abandon(std::uint64_t id) override {
    // Its exchange may be what is being read at this moment.
    for (auto& [key, stream] : streams_)
      if (stream.id == id && id != 0) soon([this, key = key] { streams_.erase(key); });
  }

  void listen() override {
    exchange_request request;
    request.listens = true;
    request.headers = common();
    request.headers.emplace_back("Accept", "text/event-stream");
    begin(std::move(request), {}, false);
  }

 private:
  // What one request became: over a broken connection it may go on in another exchange.
  struct stream {
    std::uint64_t id = 0;
    bool listens = false, reply = false, scheduled = false;
    std::unique_ptr<http_exchange> exchange;
    std::string last_event;
    milliseconds wait = limits::resume_default;
    int resumes = 0;
  };

  void soon(std::function<void()> what) {
    loop_.after(0ms, [weak = std::weak_ptr(alive_), what = std::move(what)] {
      if (weak.lock()) what();
    });
  }

  bool modern() const { return revision_ == modern_revision; }

  header_pairs common() const {
    header_pairs out;
    if (!revision_.empty()) out.emplace_back("MCP-Protocol-Version", revision_);
    if (!session_.empty() && !modern()) out.emplace_back("Mcp-Session-Id", session_);
    return out;
  }

  header_pairs headers(const outgoing& message) const {
    auto out = common();
    out.emplace_back("Accept", "application/json, text/event-stream");
    if (!modern() || message.method.empty()) return out;
    out.emplace_back("Mcp-Method", message.method);
    // Names of tools are plain, or they would not have been taken.
    if (!message.name.empty()) out.emplace_back("Mcp-Name", message.name);
    out.insert(out.end(), message.headers.begin(), message.headers.end());
    return out;
  }

  void begin(exchange_request request, stream from, bool reply) {
    const auto key = ++last_key_;
    from.id = request.id;
    from.listens = request.listens;
    from.reply = reply;
    http_exchange::hooks hooks;
    hooks.on_bytes = [this, key] {
      const auto at = streams_.find(key);
      if (at == streams_.end() || std::exchange(at->second.scheduled, true)) return;
      soon([this, key] { read(key); });
    };
    hooks.on_end = [this, key](int code) { ended(key, code); };
    auto& kept = streams_.emplace(key, std::move(from)).first->second;
    kept.exchange = std::make_unique<http_exchange>(what_, loop_, std::move(request), hooks);
  }

  // False where the stream, or all of this, is gone afterwards.
  bool read(std::uint64_t key) {
    const auto at = streams_.find(key);
    if (at == streams_.end()) return false;
    at->second.scheduled = false;
    auto& x = *at->second.exchange;
    if (revision_.empty() && x.succeeded() && !x.session_id().empty()) session_ = x.session_id();
    if (!x.succeeded() || !x.is_events()) return true;  // its whole body is looked at in the end
    // First all of it, then one after another: each message may end this stream.
    std::vector<std::string> messages;
    const bool sound = x.events().feed(x.take_inbox(),
                                       [&](std::string_view data) { messages.emplace_back(data); });
    if (!x.events().last_event_id().empty()) at->second.last_event = x.events().last_event_id();
    if (const auto ms = x.events().retry_ms())
      at->second.wait = std::max<milliseconds>(milliseconds(*ms), limits::resume_least);
    const auto says = [](const std::string& message) { return !message.empty(); };
    if (std::any_of(messages.begin(), messages.end(), says)) at->second.resumes = 0;
    if (!deliver(key, messages)) return false;
    if (!sound) fail(key, x.why(0));
    return sound;
  }

  bool deliver(std::uint64_t key, const std::vector<std::string>& messages) {
    const std::weak_ptr<int> alive = alive_;
    for (const auto& text : messages) {
      if (text.empty()) continue;
      sink_.on_message(text);
      if (alive.expired() || !streams_.count(key)) return false;
    }
    return true;
  }

  void ended(std::uint64_t key, int code) {
    if (!read(key)) return;
    const auto at = streams_.find(key);
    if (at == streams_.end()) return;
    auto& x = *at->second.exchange;
    if (x.is_events() && x.succeeded()) return stream_ended(key, code);
    if (code == 0 && x.succeeded() && at->second.id == 0) return drop(key);
    if (code != 0 || !x.succeeded() || !x.is_json()) return fail(key, x.why(code));
    const auto body = x.take_inbox();
    if (deliver(key, {body})) unanswered(key);
  }

  void stream_ended(std::uint64_t key, int code) {
    auto& s = streams_.at(key);
    const bool waits = s.listens || (s.id != 0 && sink_.waits(s.id));
    if (!waits) return drop(key);
    const bool resumable = !modern() && (s.listens || !s.last_event.empty());
    if (!resumable || ++s.resumes > limits::resumes_max || s.wait > limits::resume_most)
      return fail(key, s.exchange->why(code));
    loop_.after(s.wait, [this, weak = std::weak_ptr(alive_), key] {
      if (weak.lock() && streams_.count(key)) resume(key);
    });
  }

  void resume(std::uint64_t key) {
    auto from = std::move(streams_.at(key));
    streams_.erase(key);
    from.exchange.reset();
    from.scheduled = false;
    exchange_request request;
    request.id = from.id;
    request.listens = from.listens;
    request.headers = common();
    request.headers.emplace_back("Accept", "text/event-stream");
    if (!from.last_event.empty()) request.headers.emplace_back("Last-Event-ID", from.last_event);
    begin(std::move(request), std::move(from), false);
  }

  // An answer that was not the answer to what was asked.
  void unanswered(std::uint64_t key) {
    const auto id = streams_.at(key).id;
    if (id != 0 && sink_.waits(id)) return fail(key, "the server's answer is that to another call");
    drop(key);
  }

  void drop(std::uint64_t key) {
    const auto at = streams_.find(key);
    if (at == streams_.end()) return;
    if (at->second.reply) --replies_;
    streams_.erase(at);
  }

  void fail(std::uint64_t key, std::string why) {
    const auto at = streams_.find(key);
    if (at == streams_.end()) return;
    request_failure out;
    out.id = at->second.id;
    out.http_status = at->second.exchange->status();
    // What a status other than success says may be a message all the same.
    if (!at->second.exchange->succeeded()) out.body = at->second.exchange->take_inbox();
    out.detail = std::move(why);
    drop(key);
    if (out.id != 0) sink_.on_failed(std::move(out));
  }

  const http_settings what_;
  loop& loop_;
  transport_sink sink_;
  std::string revision_, session_;
  std::map<std::uint64_t, stream> streams_;
  std::uint64_t last_key_ = 0;
  int replies_ = 0;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<transport> make_http_transport(const http_settings& what, loop& on) {
  return std::make_unique<http_transport>(what, on);
}

}  // namespace soma::tools::mcp
