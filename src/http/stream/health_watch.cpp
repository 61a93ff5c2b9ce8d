#include "http/stream/health_watch.hpp"

#include <algorithm>

#include "http/stream/tenant_stream.hpp"

namespace soma::http {
namespace {

void append(std::string& list, const std::string& name, const std::string& why) {
  list += (list.empty() ? "" : "; ") + name + ": " + why;
}

bool degraded(const std::vector<app::health_component>& all) {
  return std::any_of(all.begin(), all.end(),
                     [](const app::health_component& one) { return one.vital && !one.ok; });
}

}  // namespace

void write_health(json_writer& w, const std::vector<app::health_component>& all,
                  bool with_components) {
  w.field("status", degraded(all) ? "degraded" : "ok");
  if (!with_components) return;
  w.key("components").begin_object();
  for (const auto& one : all) {
    w.key(one.name).begin_object().field("status", one.ok ? "ok" : "degraded");
    w.field_if("detail", one.detail);
    for (const auto& [name, figure] : one.figures) w.key(name).real(figure);
    w.end_object();
  }
  w.end_object();
}

void health_watch::look() {
  std::map<tenant_id, std::string> now;
  for (const auto& tenant : feeds_.tenants_followed()) {
    const auto all = app::health_of(services_, tenant);
    std::string down;
    for (const auto& one : all)
      if (!one.ok) append(down, one.name, one.vital ? "" : one.detail);
    // Who has just begun to follow is told of what is down, once.
    const auto before = told_.find(tenant);
    if (down != (before == told_.end() ? "" : before->second)) {
      std::string payload;
      json_writer w(payload);
      w.begin_object();
      write_health(w, all, true);
      w.end_object();
      publish_tenant_event(feeds_, tenant, "health.changed", payload);
    }
    now.emplace(tenant, std::move(down));
  }
  told_ = std::move(now);
}

}  // namespace soma::http
