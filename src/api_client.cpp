#include "api_client.hpp"

#include <boost/json.hpp>

#include "core/config.hpp"
#include "core/loopback.hpp"

namespace soma {

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

}  // namespace soma
