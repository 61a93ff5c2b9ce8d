#include "tools/egress/web_request.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "core/codes.hpp"
#include "tools/egress/socket_address.hpp"

namespace soma::tools {
namespace {

// Of all headers of an answer. Browsers stop at 256 KiB; nothing that a model needs is longer.
constexpr std::size_t header_bytes_max = 64 * 1024;

struct transfer {
  const judged_url& where;
  const web_request& what;
  const std::function<bool(const ip_address&)>& allowed;
  web_answer answer;
  std::size_t header_bytes = 0;
  bool elsewhere = false, given_up = false, long_headers = false;
};

// The last word, when the address is the one that is connected to.
curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* to) {
  auto& t = *static_cast<transfer*>(self);
  const auto address = address_in(*to);
  const auto& known = t.where.addresses;
  if (!address || std::find(known.begin(), known.end(), *address) == known.end() ||
      !t.allowed(*address)) {
    t.elsewhere = true;
    return CURL_SOCKET_BAD;
  }
  return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::size_t on_header(char* bytes, std::size_t, std::size_t n, void* self) {
  auto& t = *static_cast<transfer*>(self);
  t.header_bytes += n;
  if (t.header_bytes > header_bytes_max) {
    t.long_headers = true;
    return 0;
  }
  const std::string_view line(bytes, n);
  if (line.starts_with("HTTP/")) t.answer.headers.clear();  // those before were of a "100 Continue"
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return n;
  std::string name(trimmed(line.substr(0, colon)));
  for (auto& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  t.answer.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  return n;
}

std::size_t on_body(char* bytes, std::size_t, std::size_t n, void* self) {
  auto& t = *static_cast<transfer*>(self);
  const auto room = t.what.body_bytes_max - t.answer.body.size();
  t.answer.body.append(bytes, std::min(n, room));
  if (n <= room) return n;
  t.answer.truncated = true;
  return 0;
}

int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& t = *static_cast<transfer*>(self);
  t.given_up = t.what.given_up && t.what.given_up();
  return t.given_up ? 1 : 0;
}

std::string text_of(const ip_address& address) {
  char text[INET6_ADDRSTRLEN];
  constexpr std::uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(mapped), std::end(mapped), address.begin()))
    return inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
  return std::string("[") + inet_ntop(AF_INET6, address.data(), text, sizeof text) + "]";
}

struct freeing {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using list = std::unique_ptr<curl_slist, freeing>;

void add(list& to, const std::string& line) {
  to.reset(curl_slist_append(to.release(), line.c_str()));
}

// "host:port:address,address": the names are not looked up again.
list pinned(const judged_url& where) {
  std::string line = where.host + ":" + std::to_string(where.port) + ":";
  for (const auto& address : where.addresses) line += text_of(address) + ",";
  line.pop_back();
  list out;
  if (!parse_ip(where.host)) add(out, line);
  return out;
}

void set_up(CURL* handle, transfer& t) {
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(handle, option, value); };
  set(CURLOPT_CURLU, t.where.url.get());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PROXY, "");  // one of the environment would connect in our place
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  // All that libcurl can undo, since some hosts compress for whoever does not ask. The bound is of
  // what comes out.
  set(CURLOPT_ACCEPT_ENCODING, "");
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(CURLOPT_OPENSOCKETDATA, &t);
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, &t);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, &t);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &t);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      t.what.deadline - std::chrono::steady_clock::now());
  set(CURLOPT_TIMEOUT_MS, std::max<long>(1, static_cast<long>(left.count())));
  if (t.what.method == "HEAD") set(CURLOPT_NOBODY, 1L);
  if (t.what.method != "POST") return;
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, t.what.body.c_str());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.what.body.size()));
}

result<web_answer> outcome_of(CURLcode code, CURL* handle, transfer& t) {
  if (t.elsewhere) return error{codes::policy_denied, "the host's address is not a public one"};
  if (t.given_up) return error{codes::tool_cancelled, "the call was cancelled"};
  if (t.long_headers) return error{codes::tool_failed, "the answer's headers are too long"};
  if (code == CURLE_OPERATION_TIMEDOUT)
    return error{codes::tool_timeout, "the host did not answer in time"};
  if (code != CURLE_OK && !t.answer.truncated)
    return error{codes::tool_failed, curl_easy_strerror(code)};
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  t.answer.status = static_cast<int>(status);
  return std::move(t.answer);
}

}  // namespace

std::string web_answer::header(std::string_view name) const {
  for (const auto& [known, value] : headers)
    if (known == name) return value;
  return {};
}

result<web_answer> ask_web(const judged_url& where, const web_request& what,
                           const std::function<bool(const ip_address&)>& allowed) {
  const std::unique_ptr<CURL, freeing> handle(curl_easy_init());
  if (!handle) return error{codes::server_busy, "no memory is left"};
  transfer t{where, what, allowed, {}};
  set_up(handle.get(), t);
  const auto names = pinned(where);
  curl_easy_setopt(handle.get(), CURLOPT_RESOLVE, names.get());
  list headers;
  for (const auto& [name, value] : what.headers)
    add(headers, value.empty() ? name + ";" : name + ": " + value);
  add(headers, "Expect:");
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  return outcome_of(curl_easy_perform(handle.get()), handle.get(), t);
}

}  // namespace soma::tools
