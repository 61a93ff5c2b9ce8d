#include "cli/api_client.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <thread>

#include "cli/commands.hpp"
#include "core/config.hpp"
#include "core/loopback.hpp"
#include "security/certificate_pin.hpp"

namespace soma {
namespace {

constexpr int reconnects_max = 60;  // one a second: as long as a restart may take
constexpr long connect_timeout_s = 10, answer_timeout_s = 60;
// Heartbeats come every fifteen seconds; a connection that brings none has died unseen.
constexpr long silence_s = 50;
constexpr std::size_t refusal_bytes_max = 64 * 1024, frame_bytes_max = 4u << 20;

std::size_t append(char* data, std::size_t, std::size_t n, void* to) {
  static_cast<std::string*>(to)->append(data, n);
  return n;
}

int look_up(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const http_client*>(self)->given_up() ? 1 : 0;
}

// Where one stream's bytes go, once its status is known.
struct arrival {
  CURL* from;
  stream_reader& reader;
  answer got;

  bool good() {
    if (got.status == 0) curl_easy_getinfo(from, CURLINFO_RESPONSE_CODE, &got.status);
    return got.status == 200;
  }
  std::size_t take(std::string_view bytes) {
    if (good()) return reader.take(bytes) ? bytes.size() : 0;
    if (got.body.size() + bytes.size() > refusal_bytes_max) return 0;
    got.body += bytes;
    return bytes.size();
  }
};

bool may_change(long status) {
  return status == 0 || status == 200 || status == 408 || status == 429 || status >= 500;
}

}  // namespace

server_address server_of(std::string given) {
  while (given.ends_with('/')) given.pop_back();
  if (!given.empty()) return {std::move(given), {}};
  auto settings = load_config(process_sources({}));
  if (!settings) settings = load_config({});
  const auto certificate = settings ? settings->text("server.tls_cert_file") : std::string();
  return {(certificate.empty() ? "http://" : "https://") + std::string(loopback_name) + ":" +
              std::to_string(settings ? settings->number("server.port") : 0),
          certificate.empty() ? std::string() : security::certificate_pin(certificate)};
}

std::string text_of(const std::string& json, std::string_view name) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(json, ec);
  if (ec || !value.is_object()) return {};
  const auto* member = value.as_object().if_contains(name);
  return member && member->is_string() ? std::string(member->as_string()) : std::string();
}

std::string reason_of(const http_client& client, const answer& got) {
  if (got.status == 0)
    return client.given_up() ? "stopped" : "no server can be reached at " + client.base();
  if (got.status == 401 && !client.has_key())
    return "the server wants a key: give one with --key, or in SOMA_ADMIN_KEY";
  auto why = text_of(got.body, "detail");
  if (why.empty()) why = "the server answered with " + std::to_string(got.status);
  const auto code = text_of(got.body, "code");
  return code.empty() ? why : why + " (" + code + ")";
}

// ---- requests ----

http_client::http_client(server_address server, std::string key, std::function<bool()> given_up)
    : base_(std::move(server.url)),
      pin_(std::move(server.pin)),
      key_(std::move(key)),
      given_up_(std::move(given_up)) {}

http_client::handle http_client::request(const std::string& path,
                                         std::vector<std::string> headers) const {
  handle h(curl_easy_init(), nullptr);
  if (has_key()) headers.push_back("Authorization: Bearer " + key_);
  curl_slist* list = nullptr;
  for (const auto& line : headers) list = curl_slist_append(list, line.c_str());
  h.second.reset(list);
  curl_easy_setopt(h.first.get(), CURLOPT_URL, (base_ + path).c_str());
  curl_easy_setopt(h.first.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  if (!pin_.empty()) {
    curl_easy_setopt(h.first.get(), CURLOPT_PINNEDPUBLICKEY, pin_.c_str());
    curl_easy_setopt(h.first.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(h.first.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(h.first.get(), CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(h.first.get(), CURLOPT_CONNECTTIMEOUT, connect_timeout_s);
  curl_easy_setopt(h.first.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h.first.get(), CURLOPT_NOPROGRESS, 0L);
  return h;
}

answer http_client::perform(const handle& c, bool insisting) const {
  answer got;
  curl_easy_setopt(c.first.get(), CURLOPT_TIMEOUT, answer_timeout_s);
  curl_easy_setopt(c.first.get(), CURLOPT_WRITEDATA, &got.body);
  curl_easy_setopt(c.first.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(c.first.get(), CURLOPT_XFERINFODATA, this);
  if (!insisting) curl_easy_setopt(c.first.get(), CURLOPT_XFERINFOFUNCTION, &look_up);
  if (curl_easy_perform(c.first.get()) == CURLE_OK)
    curl_easy_getinfo(c.first.get(), CURLINFO_RESPONSE_CODE, &got.status);
  return got;
}

answer http_client::get(const std::string& path) {
  return perform(request(path, {}), false);
}

answer http_client::post(const std::string& path, const std::string& json,
                         const std::string& idempotency_key) {
  const auto c =
      request(path, {"Content-Type: application/json", "Idempotency-Key: " + idempotency_key});
  curl_easy_setopt(c.first.get(), CURLOPT_POSTFIELDS, json.c_str());
  return perform(c, false);
}

answer http_client::remove(const std::string& path) {
  const auto c = request(path, {});
  curl_easy_setopt(c.first.get(), CURLOPT_CUSTOMREQUEST, "DELETE");
  return perform(c, false);
}

answer http_client::insist(const std::string& path, const std::string& json,
                           const std::string& idempotency_key) {
  const auto c =
      request(path, {"Content-Type: application/json", "Idempotency-Key: " + idempotency_key});
  curl_easy_setopt(c.first.get(), CURLOPT_POSTFIELDS, json.c_str());
  return perform(c, true);
}

answer http_client::stream(const std::string& path, stream_reader& reader) {
  const auto c = request(path, {"Accept: text/event-stream"});
  auto* handle = c.first.get();
  arrival what{handle, reader, {}};
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &what);
  curl_easy_setopt(
      handle, CURLOPT_WRITEFUNCTION,
      +[](char* data, std::size_t, std::size_t n, void* to) -> std::size_t {
        return static_cast<arrival*>(to)->take({data, n});
      });
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, silence_s);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &reader);
  curl_easy_setopt(
      handle, CURLOPT_XFERINFOFUNCTION,
      +[](void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto& reader = *static_cast<stream_reader*>(to);
        reader.between();
        return reader.done() ? 1 : 0;
      });
  curl_easy_perform(handle);
  what.good();  // of an answer without a body
  return what.got;
}

// ---- events ----

bool event_reader::take(std::string_view bytes) {
  buffer_ += bytes;
  for (std::size_t end; (end = buffer_.find("\n\n")) != std::string::npos;
       buffer_.erase(0, end + 2))
    on_frame(std::string_view(buffer_).substr(0, end));
  if (buffer_.size() > frame_bytes_max) return false;  // no event is as long
  return !done();
}

void event_reader::on_frame(std::string_view frame) {
  std::string_view data;
  while (!frame.empty()) {
    const auto end = frame.find('\n');
    const auto line = frame.substr(0, end);
    if (line.starts_with("id: ")) last_id_ = line.substr(4);
    if (line.starts_with("data: ")) data = line.substr(6);
    frame.remove_prefix(end == std::string_view::npos ? frame.size() : end + 1);
  }
  if (const auto e = decode(data)) on_event(*e);
}

void wait_a_second(const http_client& client) {
  for (int i = 0; i < 20 && !client.given_up(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

answer follow(http_client& client, const std::string& session, event_reader& reader) {
  answer last;
  for (int tries = 0; !reader.done() && tries < reconnects_max; ++tries) {
    const auto before = reader.last_id();
    last = client.stream("/v1/session/" + session + "/events?after=" + before, reader);
    reader.connection_lost();
    if (reader.done() || !may_change(last.status)) break;
    if (reader.last_id() != before) tries = 0;
    if (last.status == 0 && client.given_up()) break;
    reader.on_away();
    wait_a_second(client);
  }
  if (reader.done()) last.status = 200;
  if (!reader.done() && last.status == 200) last.status = 0;
  return last;
}

}  // namespace soma
