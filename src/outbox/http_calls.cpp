#include "outbox/http_calls.hpp"

#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/thread_name.hpp"
#include "outbox/curl_call.hpp"

namespace soma::outbox {
namespace {

constexpr int wait_ms_max = 1000;

http_answer none(const char* why) {
  http_answer out;
  out.why = why;
  return out;
}

struct easy_deleter {
  void operator()(CURL* one) const { curl_easy_cleanup(one); }
};
using easy_handle = std::unique_ptr<CURL, easy_deleter>;

}  // namespace

struct http_calls::call {
  call(const std::atomic<bool>& stopped, std::size_t bytes_max) : transfer(stopped, bytes_max) {}
  std::string url, json;
  std::int64_t deadline_ms = 0;
  told done;
  curl_call transfer;
  easy_handle handle;
};

struct http_calls::state {
  state() : multi(curl_multi_init()) {}
  ~state() {
    idle.clear();
    if (multi) curl_multi_cleanup(multi);
  }
  CURLM* multi;
  std::unordered_map<CURL*, std::unique_ptr<call>> open;
  std::vector<easy_handle> idle;
};

http_calls::http_calls(std::string base, secret_string token, options how)
    : base_(std::move(base)),
      token_(std::move(token)),
      options_(how),
      state_(std::make_unique<state>()) {
  if (auto* const multi = state_->multi) {
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                      static_cast<long>(options_.connections_max));
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(options_.idle_max));
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
    thread_ = std::thread([this] { run(); });
  } else {
    stopped_ = true;
  }
}

http_calls::~http_calls() {
  stop();
}

void http_calls::stop() {
  stopped_ = true;
  if (state_->multi) curl_multi_wakeup(state_->multi);
  if (thread_.joinable()) thread_.join();
}

void http_calls::post(std::string path, std::string json, std::int64_t deadline_ms, told done) {
  auto one = std::make_unique<call>(stopped_, options_.answer_bytes_max);
  one->url = base_ + path;
  one->json = std::move(json);
  one->deadline_ms = deadline_ms;
  one->done = std::move(done);
  {
    const std::lock_guard lock(mutex_);
    // Under the lock: what is put here the thread still sees, or says that it has ended.
    if (!stopped_) wanted_.push_back(std::move(one));
  }
  if (one) return one->done(none("the server is stopping"));
  curl_multi_wakeup(state_->multi);
}

void http_calls::begin(std::unique_ptr<call> one) {
  auto& s = *state_;
  if (s.idle.empty()) {
    one->handle.reset(curl_easy_init());
  } else {
    one->handle = std::move(s.idle.back());
    s.idle.pop_back();
  }
  auto* const curl = one->handle.get();
  if (!curl) return one->done(none("no memory is left"));
  one->transfer.prepare(curl, one->url, &one->json, token_, {}, one->deadline_ms);
  if (curl_multi_add_handle(s.multi, curl) != CURLM_OK)
    return one->done(none("the call could not be begun"));
  s.open.emplace(curl, std::move(one));
}

void http_calls::end_done() {
  auto& s = *state_;
  int more = 0;
  while (const auto* message = curl_multi_info_read(s.multi, &more)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto how = message->data.result;
    const auto at = s.open.find(message->easy_handle);
    auto one = std::move(at->second);
    s.open.erase(at);
    auto* const curl = one->handle.get();
    curl_multi_remove_handle(s.multi, curl);
    auto answer = one->transfer.take(curl, how);
    if (s.idle.size() < options_.idle_max) s.idle.push_back(std::move(one->handle));
    one->done(std::move(answer));
  }
}

void http_calls::end_all() {
  auto& s = *state_;
  for (auto& [curl, one] : s.open) {
    curl_multi_remove_handle(s.multi, curl);
    one->done(none("the server is stopping"));
  }
  s.open.clear();
  std::deque<std::unique_ptr<call>> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(wanted_);
  }
  for (auto& one : left) one->done(none("the server is stopping"));
}

void http_calls::run() {
  name_this_thread("http-calls");
  auto& s = *state_;
  while (!stopped_) {
    std::deque<std::unique_ptr<call>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(wanted_);
    }
    for (auto& one : now) begin(std::move(one));
    int running = 0;
    curl_multi_perform(s.multi, &running);
    end_done();
    curl_multi_poll(s.multi, nullptr, 0, wait_ms_max, nullptr);
  }
  end_all();
}

}  // namespace soma::outbox
