#include "tools/mcp/http_exchange.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "tools/egress/socket_address.hpp"
#include "tools/egress/url_guard.hpp"
#include "tools/mcp/limits.hpp"

namespace soma::tools::mcp {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

struct curl_callbacks {
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* to) {
    auto& x = *static_cast<http_exchange*>(self);
    const auto address = address_in(*to);
    if (!address || (!x.allow_private_ && !is_public_host(*address))) {
      x.elsewhere_ = true;
      return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static std::size_t on_header(char* bytes, std::size_t, std::size_t n, void* self) {
    auto& x = *static_cast<http_exchange*>(self);
    x.header_bytes_ += n;
    if (x.header_bytes_ > limits::header_bytes_max) {
      x.too_long_ = true;
      return 0;
    }
    const auto line = trimmed({bytes, n});
    if (line.starts_with("HTTP/"))
      x.content_type_.clear();  // those before were of a "100 Continue"
    if (line.empty()) {
      long status = 0;
      curl_easy_getinfo(x.handle_, CURLINFO_RESPONSE_CODE, &status);
      x.status_ = static_cast<int>(status);
      if (x.status_ >= 200) x.tell_.on_bytes();
      return n;
    }
    const auto colon = line.find(':');
    if (colon == line.npos) return n;
    const auto name = lower(line.substr(0, colon));
    const auto value = trimmed(line.substr(colon + 1));
    if (name == "content-type") x.content_type_ = lower(value);
    if (name == "mcp-session-id" && value.size() <= limits::session_id_bytes_max &&
        std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; }))
      x.session_id_ = value;
    return n;
  }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t n, void* self) {
    auto& x = *static_cast<http_exchange*>(self);
    if (x.inbox_.size() + n > limits::message_bytes_max) {
      x.too_long_ = true;
      return 0;
    }
    x.inbox_.append(bytes, n);
    x.tell_.on_bytes();
    return n;
  }
};

void http_exchange::add_header(const std::string& line) {
  headers_ = curl_slist_append(headers_, line.c_str());
}

http_exchange::http_exchange(const http_settings& what, loop& on, exchange_request request,
                             hooks tell)
    : loop_(on),
      request_(std::move(request)),
      tell_(std::move(tell)),
      allow_private_(what.allow_private),
      handle_(curl_easy_init()),
      events_(limits::message_bytes_max) {
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(handle_, option, value); };
  set(CURLOPT_URL, what.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_PROXY, "");  // one of the environment would connect in our place
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_CONNECTTIMEOUT_MS,
      static_cast<long>(std::chrono::milliseconds(limits::connect_timeout).count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // Nobody waits for what a notification or a reply is answered with, so nobody would end it.
  if (request_.id == 0 && !request_.listens)
    set(CURLOPT_TIMEOUT_MS,
        static_cast<long>(std::chrono::milliseconds(limits::aside_timeout).count()));
  // One that is open already was judged for somebody else, perhaps by other rules.
  if (!allow_private_) set(CURLOPT_FRESH_CONNECT, 1L);
  if (!what.ca_file.empty()) set(CURLOPT_CAINFO, what.ca_file.c_str());
  set(CURLOPT_OPENSOCKETFUNCTION, curl_callbacks::open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_HEADERFUNCTION, curl_callbacks::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, curl_callbacks::on_body);
  set(CURLOPT_WRITEDATA, this);
  // Some compress for whoever does not ask: undone, but not asked for, since it holds events back.
  set(CURLOPT_ACCEPT_ENCODING, "");
  add_header("Accept-Encoding: identity");
  for (const auto& [name, value] : what.headers) add_header(name + ": " + value);
  if (!what.token.empty()) add_header("Authorization: Bearer " + std::string(what.token.reveal()));
  for (const auto& [name, value] : request_.headers)
    add_header(value.empty() ? name + ";" : name + ": " + value);
  if (!request_.body.empty()) {
    add_header("Content-Type: application/json");
    add_header("Expect:");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request_.body.c_str());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  }
  set(CURLOPT_HTTPHEADER, headers_);
  loop_.add(handle_, tell_.on_end);
}

http_exchange::~http_exchange() {
  loop_.remove(handle_);
  curl_easy_cleanup(handle_);
  curl_slist_free_all(headers_);
}

std::string http_exchange::why(int code) const {
  if (elsewhere_)
    return "the server's address is not a public one, and others are not allowed here "
           "(mcp.allow_private_urls)";
  if (too_long_) return "the server's answer is too long";
  if (code != CURLE_OK)
    return std::string("the server cannot be reached: ") +
           curl_easy_strerror(static_cast<CURLcode>(code));
  if (status_ >= 300 && status_ < 400)
    return "the server redirects elsewhere (" + std::to_string(status_) +
           "), which is not followed";
  if (status_ == 401 || status_ == 403)
    return "the server wants other credentials (" + std::to_string(status_) + ")";
  if (!succeeded()) return "the server answered with status " + std::to_string(status_);
  if (!is_json() && !is_events()) return "the server's answer is neither JSON nor an event stream";
  return "the server's answer ended before it was whole";
}

}  // namespace soma::tools::mcp
