#include "outbox/http_client.hpp"

#include "outbox/curl_call.hpp"

namespace soma::outbox {
namespace {

constexpr std::size_t idle_max = 8;

}  // namespace

struct http_client::handle {
  CURL* curl = curl_easy_init();
  handle() = default;
  handle(const handle&) = delete;
  ~handle() { curl_easy_cleanup(curl); }
};

http_client::http_client(std::string base, secret_string token, std::string ca_file)
    : base_(std::move(base)), token_(std::move(token)), ca_file_(std::move(ca_file)) {}

http_client::~http_client() = default;

std::unique_ptr<http_client::handle> http_client::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<handle>();
  auto one = std::move(idle_.back());
  idle_.pop_back();
  return one;
}

http_answer http_client::post(const std::string& path, const std::string& json,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              std::int64_t deadline_ms, std::size_t bytes_max) {
  return call(path, &json, "application/json", headers, deadline_ms, bytes_max);
}

http_answer http_client::post_form(const std::string& path, const std::string& form,
                                   const std::vector<std::pair<std::string, std::string>>& headers,
                                   std::int64_t deadline_ms, std::size_t bytes_max) {
  return call(path, &form, "application/x-www-form-urlencoded", headers, deadline_ms, bytes_max);
}

http_answer http_client::get(const std::string& path, std::int64_t deadline_ms,
                             std::size_t bytes_max,
                             const std::vector<std::pair<std::string, std::string>>& headers) {
  return call(path, nullptr, nullptr, headers, deadline_ms, bytes_max);
}

http_answer http_client::call(const std::string& path, const std::string* body,
                              const char* media_type,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              std::int64_t deadline_ms, std::size_t bytes_max) {
  auto mine = take();
  auto* const curl = mine->curl;
  if (!curl) {
    http_answer none;
    none.why = "no memory is left";
    return none;
  }
  const auto url = base_ + path;
  curl_call one(stopped_, bytes_max);
  one.prepare(curl, url, body, token_, headers, deadline_ms, media_type);
  if (!ca_file_.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file_.c_str());
  const auto how = stopped_ ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(curl);
  auto answer = one.take(curl, how);
  if (how == CURLE_OK) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < idle_max) idle_.push_back(std::move(mine));
  }
  return answer;
}

}  // namespace soma::outbox
