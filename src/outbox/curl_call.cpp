#include "outbox/curl_call.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string_view>

namespace soma::outbox {
namespace {

constexpr std::int64_t connect_ms_max = 5000, retry_after_s_max = 24 * 3600;

}  // namespace

std::size_t curl_call::on_body(char* bytes, std::size_t, std::size_t n, void* self) {
  auto& c = *static_cast<curl_call*>(self);
  if (n > c.bytes_max_ - c.answer_.body.size()) {
    c.too_long_ = true;
    return 0;
  }
  c.answer_.body.append(bytes, n);
  return n;
}

// Only seconds: a date would be of another clock.
std::size_t curl_call::on_header(char* bytes, std::size_t, std::size_t n, void* self) {
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
    static_cast<curl_call*>(self)->answer_.retry_after_ms =
        std::min(seconds, retry_after_s_max) * 1000;
  return n;
}

int curl_call::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<curl_call*>(self)->stopped_ ? 1 : 0;
}

void curl_call::prepare(CURL* curl, const std::string& url, const std::string* body,
                        const secret_string& token, const header_fields& headers,
                        std::int64_t deadline_ms, const char* media_type) {
  curl_easy_reset(curl);  // connections stay
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
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
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, this);
  lines_.reset();
  const auto add = [this](const std::string& line) {
    lines_.reset(curl_slist_append(lines_.release(), line.c_str()));
  };
  if (body) add(std::string("Content-Type: ") + media_type);
  add("Accept: application/json");
  add("Expect:");
  if (!token.empty()) add("Authorization: Bearer " + std::string(token.reveal()));
  for (const auto& [name, value] : headers) add(name + ": " + value);
  set(CURLOPT_HTTPHEADER, lines_.get());
}

http_answer curl_call::take(CURL* curl, CURLcode how) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (how == CURLE_OK)
    answer_.status = static_cast<int>(status);
  else
    answer_.why = too_long_                          ? "its answer is too long"
                  : how == CURLE_ABORTED_BY_CALLBACK ? "the server is stopping"
                  : how == CURLE_OPERATION_TIMEDOUT  ? "it did not answer in time"
                                                     : curl_easy_strerror(how);
  return std::move(answer_);
}

}  // namespace soma::outbox
