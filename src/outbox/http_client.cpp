#include "outbox/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace soma::outbox {
namespace {

constexpr std::size_t idle_max = 8;
constexpr std::int64_t connect_ms_max = 5000, retry_after_s_max = 24 * 3600;

struct transfer {
  const std::atomic<bool>& stopped;
  http_answer answer;
  std::size_t bytes_max;
  bool too_long = false;
};

std::size_t on_body(char* bytes, std::size_t, std::size_t n, void* self) {
  auto& t = *static_cast<transfer*>(self);
  if (n > t.bytes_max - t.answer.body.size()) {
    t.too_long = true;
    return 0;
  }
  t.answer.body.append(bytes, n);
  return n;
}

// Only seconds: a date would be of another clock.
std::size_t on_header(char* bytes, std::size_t, std::size_t n, void* self) {
  constexpr std::string_view name = "retry-after:";
  std::string_view line(bytes, n);
  if (line.size() <= name.size()) return n;
  const bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
    return a == std::tolower(static_cast<unsigned char>(b));
  });
  if (!same) return n;
  line.remove_prefix(name.size());
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  std::int64_t seconds = -1;
  const auto read = std::from_chars(line.data(), line.data() + line.size(), seconds);
  if (read.ec == std::errc() && seconds >= 0)
    static_cast<transfer*>(self)->answer.retry_after_ms =
        std::min(seconds, retry_after_s_max) * 1000;
  return n;
}

int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<transfer*>(self)->stopped ? 1 : 0;
}

struct list_deleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using header_lines = std::unique_ptr<curl_slist, list_deleter>;

void add(header_lines& to, const std::string& line) {
  to.reset(curl_slist_append(to.release(), line.c_str()));
}

}  // namespace

struct http_client::handle {
  CURL* curl = curl_easy_init();
  handle() = default;
  handle(const handle&) = delete;
  ~handle() { curl_easy_cleanup(curl); }
};

http_client::http_client(std::string base, secret_string token)
    : base_(std::move(base)), token_(std::move(token)) {}

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
                             std::size_t bytes_max) {
  return call(path, nullptr, nullptr, {}, deadline_ms, bytes_max);
}

http_answer http_client::call(const std::string& path, const std::string* body,
                              const char* media_type,
                              const std::vector<std::pair<std::string, std::string>>& headers,
                              std::int64_t deadline_ms, std::size_t bytes_max) {
  transfer t{stopped_, {}, bytes_max};
  auto mine = take();
  auto* const curl = mine->curl;
  if (!curl) {
    t.answer.why = "no memory is left";
    return std::move(t.answer);
  }
  curl_easy_reset(curl);  // connections stay
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  const auto url = base_ + path;
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700  // 7.87: a thread that looks up a name is not waited for
  set(CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, deadline_ms)));
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::clamp<std::int64_t>(deadline_ms, 1, connect_ms_max)));
  if (body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, body->c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
  }
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &t);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, &t);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &t);
  header_lines lines;
  if (body) add(lines, std::string("Content-Type: ") + media_type);
  add(lines, "Accept: application/json");
  add(lines, "Expect:");
  if (!token_.empty()) add(lines, "Authorization: Bearer " + std::string(token_.reveal()));
  for (const auto& [name, value] : headers) add(lines, name + ": " + value);
  set(CURLOPT_HTTPHEADER, lines.get());
  const auto code = stopped_ ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) {
    t.answer.status = static_cast<int>(status);
    const std::lock_guard lock(mutex_);
    if (idle_.size() < idle_max) idle_.push_back(std::move(mine));
  } else {
    t.answer.why = t.too_long                          ? "its answer is too long"
                   : code == CURLE_ABORTED_BY_CALLBACK ? "the server is stopping"
                   : code == CURLE_OPERATION_TIMEDOUT  ? "it did not answer in time"
                                                       : curl_easy_strerror(code);
  }
  return std::move(t.answer);
}

}  // namespace soma::outbox
