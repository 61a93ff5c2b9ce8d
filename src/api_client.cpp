#include "api_client.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <thread>

#include "core/config.hpp"
#include "core/loopback.hpp"

namespace soma {
namespace {

constexpr int reconnects_max = 60;  // one a second: as long as a restart may take

}  // namespace

std::string server_url(std::string given) {
  while (given.ends_with('/')) given.pop_back();
  if (!given.empty()) return given;
  const auto settings = load_config({});
  if (!settings) return given;
  return "http://" + std::string(loopback_name) + ":" +
         std::to_string(settings->number("server.port"));
}

std::string text_of(const std::string& json, std::string_view name) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(json, ec);
  if (ec || !value.is_object()) return {};
  const auto* member = value.as_object().if_contains(name);
  return member && member->is_string() ? std::string(member->as_string()) : std::string();
}

bool event_reader::take(std::string_view bytes) {
  buffer_ += bytes;
  for (std::size_t end; (end = buffer_.find("\n\n")) != std::string::npos;
       buffer_.erase(0, end + 2))
    on_frame(std::string_view(buffer_).substr(0, end));
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

void follow(http_client& client, const std::string& session, event_reader& reader) {
  for (int tries = 0; !reader.done() && tries < reconnects_max; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto before = reader.last_id();
    client.stream("/v1/session/" + session + "/events?after=" + before, reader);
    reader.connection_lost();
    if (reader.last_id() != before) tries = 0;
  }
}

}  // namespace soma
