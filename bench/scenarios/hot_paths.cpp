#include "scenarios/hot_paths.hpp"

#include <algorithm>
#include <stdexcept>

#include "clock.hpp"
#include "peers/relays.hpp"
#include "peers/soma.hpp"
#include "request_load.hpp"
#include "scenarios/filled_session.hpp"
#include "scenarios/systems.hpp"
#include "sse_client.hpp"

namespace soma::bench {
namespace {

soma_launch launch_in(const std::filesystem::path& folder, environment server) {
  return {folder / "data", folder / "soma.log", std::move(server)};
}

// A closed loop of requests over some connections.
class request_path : public path_load {
 public:
  child_process& server() override { return soma_.process(); }

  double run(double seconds) override {
    load_->clear_counts();
    loop_.run(to_ns(seconds), [&](std::int64_t now) {
      load_->pump(now);
      return now + 10 * ns_per_ms;
    });
    load_->drain(10 * ns_per_s);
    return static_cast<double>(load_->acks());
  }

  void judge(report& r) override {
    r.add_check("paths: requests refused or lost", load_->errors(), load_->first_error());
  }

 protected:
  request_path(const options& o, const std::filesystem::path& folder, environment server)
      : o_(o), soma_(o, launch_in(folder, std::move(server))) {}

  const options& o_;
  soma_server soma_;
  event_loop loop_;
  std::unique_ptr<request_load> load_;
};

class append_path final : public request_path {
 public:
  append_path(const options& o, const std::filesystem::path& folder, const environment& server)
      : request_path(o, folder, server) {
    for (std::size_t i = 0; i < o.append_connections; ++i) sessions_.push_back(soma_.new_session());
    load_ = std::make_unique<request_load>(
        loop_, load_options{soma_.port(), o.append_connections},
        [this](std::size_t connection, std::int64_t now, std::string& out) {
          out +=
              soma_.publish_request(sessions_[connection], stamped_payload(now, o_.payload_bytes));
          return now;
        });
  }

 private:
  std::vector<std::string> sessions_;
};

environment with_provider(environment server, const std::string& base_url, const char* model) {
  server.emplace_back("SOMA_LLM_BASE_URL", base_url);
  server.emplace_back("SOMA_LLM_API_KEY", "none");
  server.emplace_back("SOMA_LLM_MODEL", model);
  return server;
}

// The provider stands before the server that is told its address.
struct fixed_provider {
  explicit fixed_provider(const std::filesystem::path& folder)
      : provider(start_fixed_provider(folder / "provider")) {}
  std::string base_url() const {
    return "http://127.0.0.1:" + std::to_string(provider->port()) + "/v1";
  }
  std::unique_ptr<chat_relay> provider;
};

class relay_path final : private fixed_provider, public request_path {
 public:
  relay_path(const options& o, const std::filesystem::path& folder, const environment& server)
      : fixed_provider(folder),
        request_path(o, folder, with_provider(server, base_url(), "m")),
        request_(soma_.chat_request(
            R"({"model":"default","messages":[{"role":"user","content":"Say something of some length."}]})")) {
    load_ = std::make_unique<request_load>(loop_, load_options{soma_.port(), o.append_connections},
                                           [this](std::size_t, std::int64_t now, std::string& out) {
                                             out += request_;
                                             return now;
                                           });
  }

 private:
  std::string request_;
};

// Readers of one session; publishers are a bounded number of events ahead of them.
class fanout_path final : public path_load {
 public:
  fanout_path(const options& o, const std::filesystem::path& folder, const environment& server)
      : o_(o), soma_(o, launch_in(folder, server)), session_(soma_.new_session()) {
    crowd_ = std::make_unique<sse_crowd>(loop_, soma_.port(), soma_.subscribe_request(session_),
                                         soma_.ids());
    crowd_->open(o.fanout_readers.front(), 60 * ns_per_s);
    load_ = std::make_unique<request_load>(
        loop_, load_options{soma_.port(), o.publishers},
        [this](std::size_t, std::int64_t now, std::string& out) { return next(now, out); });
    loop_.set_nap(ns_per_ms);
  }

  child_process& server() override { return soma_.process(); }

  double run(double seconds) override {
    const auto before = crowd_->group().events;
    loop_.run(to_ns(seconds), [&](std::int64_t now) {
      load_->pump(now);
      return now + ns_per_ms;
    });
    load_->drain(10 * ns_per_s);
    const auto wanted = sent_ * crowd_->size();
    loop_.run_until(20 * ns_per_s, [&] { return crowd_->group().events >= wanted; });
    return static_cast<double>(crowd_->group().events - before);
  }

  void judge(report& r) override {
    const auto wanted = sent_ * crowd_->size(), seen = crowd_->group().events;
    r.add_check("paths: deliveries missing or too many",
                wanted > seen ? wanted - seen : seen - wanted);
    r.add_check("paths: gaps or repeats in ids", crowd_->gaps() + crowd_->repeats());
    r.add_check("paths: requests refused or lost", load_->errors(), load_->first_error());
  }

 private:
  std::int64_t next(std::int64_t now, std::string& out) {
    if (sent_ * crowd_->size() >= crowd_->group().events + o_.window * crowd_->size())
      return request_load::nothing;
    ++sent_;
    out += soma_.publish_request(session_, stamped_payload(now, o_.payload_bytes));
    return now;
  }

  const options& o_;
  soma_server soma_;
  std::string session_;
  event_loop loop_;
  std::unique_ptr<sse_crowd> crowd_;
  std::unique_ptr<request_load> load_;
  std::uint64_t sent_ = 0;
};

class replay_path final : public path_load {
 public:
  replay_path(const options& o, const std::filesystem::path& folder, const environment& server)
      : o_(o), soma_(o, launch_in(folder, server)), session_(soma_.new_session()) {
    fill_session(o, soma_, session_, o.replay_events);
  }

  child_process& server() override { return soma_.process(); }

  double run(double seconds) override {
    const auto end = now_ns() + to_ns(seconds);
    const auto wanted = (o_.replay_events + 1) * o_.replay_readers;  // and session.open
    double units = 0;
    while (now_ns() < end) {
      event_loop loop;
      sse_crowd crowd(loop, soma_.port(), soma_.replay_request(session_), soma_.ids());
      crowd.open(o_.replay_readers, 20 * ns_per_s);
      loop.run_until(20 * ns_per_s, [&] { return crowd.group().events >= wanted; });
      wrong_ += crowd.group().events != wanted || crowd.gaps() + crowd.repeats() > 0;
      units += static_cast<double>(crowd.group().events);
    }
    return units;
  }

  void judge(report& r) override { r.add_check("paths: replays that were not whole", wrong_); }

 private:
  const options& o_;
  soma_server soma_;
  std::string session_;
  std::uint64_t wrong_ = 0;
};

struct word_provider {
  word_provider(const options& o, const std::filesystem::path& folder) : model(o, folder) {}
  rehearsal_server model;
};

// Sessions that each have one reader; every answer has `words` words, 10 ms apart.
class word_path final : private word_provider, public path_load {
 public:
  word_path(const options& o, const std::filesystem::path& folder, const environment& server)
      : word_provider(o, folder),
        soma_(o, launch_in(folder, with_provider(server, model.base_url(), "rehearsal"))),
        group_(loop_),
        sessions_(o.quick ? 4 : 64) {
    group_.on_event = [this](sse_reader&, const sse_frame& frame) {
      answers_ += frame.event == "message.assistant" &&
                  frame.data.find("\"final\":true") != frame.data.npos;
    };
    for (auto& s : sessions_) {
      s.id = soma_.new_session();
      s.stream = std::make_unique<sse_reader>(group_, soma_.port(), soma_.subscribe_request(s.id),
                                              soma_.ids());
    }
    loop_.run_until(20 * ns_per_s,
                    [&] { return group_.ready == sessions_.size() || group_.failed > 0; });
    if (group_.ready != sessions_.size())
      throw std::runtime_error("streams: " + group_.first_failure);
    load_ = std::make_unique<request_load>(
        loop_, load_options{soma_.port(), sessions_.size()},
        [this](std::size_t i, std::int64_t now, std::string& out) {
          if (sessions_[i].asked == round_) return request_load::nothing;
          sessions_[i].asked = round_;
          out += soma_.message_request(sessions_[i].id,
                                       "Say something. [[rehearsal words=60 delay_ms=10]]");
          return now;
        });
  }

  child_process& server() override { return soma_.process(); }

  double run(double seconds) override {
    const auto end = now_ns() + to_ns(seconds);
    const auto before = answers_;
    while (now_ns() < end) {
      ++round_;
      const auto wanted = round_ * sessions_.size();
      loop_.run(60 * ns_per_s, [&](std::int64_t now) {
        load_->pump(now);
        const bool over = answers_ >= wanted || group_.failed + load_->errors() > 0;
        return over ? event_loop::stop : now + ns_per_ms;
      });
      if (answers_ < wanted) break;
    }
    return static_cast<double>(answers_ - before) * words;
  }

  void judge(report& r) override {
    const auto wanted = round_ * sessions_.size();
    std::uint64_t broken = 0;
    for (const auto& s : sessions_)
      broken += s.stream->order().gaps() + s.stream->order().repeats();
    r.add_check("paths: answers that never came", wanted - answers_);
    r.add_check("paths: gaps or repeats in ids", broken);
    r.add_check("paths: requests refused or lost", load_->errors(), load_->first_error());
  }

 private:
  static constexpr double words = 60;
  struct session {
    std::string id;
    std::unique_ptr<sse_reader> stream;
    std::size_t asked = 0;
  };

  soma_server soma_;
  event_loop loop_;
  sse_group group_;
  std::vector<session> sessions_;
  std::unique_ptr<request_load> load_;
  std::size_t round_ = 0, answers_ = 0;
};

template <class Path>
std::unique_ptr<path_load> start(const options& o, const std::filesystem::path& folder,
                                 const environment& server) {
  return std::make_unique<Path>(o, folder, server);
}

}  // namespace

const std::vector<hot_path>& hot_paths() {
  static const std::vector<hot_path> all = {
      {"durable append, 64 connections", "an append", start<append_path>},
      {"fan-out delivery, 1,000 readers", "a delivery", start<fanout_path>},
      {"replay, 4 readers", "an event", start<replay_path>},
      {"relay call, 64 at once", "a call", start<relay_path>},
      {"streamed word, 64 answers, 10 ms apart", "a word", start<word_path>},
  };
  return all;
}

}  // namespace soma::bench
