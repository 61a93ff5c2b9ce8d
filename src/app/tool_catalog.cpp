#include "app/tool_catalog.hpp"

#include "app/on_writes.hpp"
#include "app/policy_question.hpp"
#include "app/services.hpp"
#include "app/tenant_notices.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

listed_tools list_of(services& s, const caller& who) {
  listed_tools list;
  list.set = s.tools.catalog.of(who.tenant);
  list.etag = list.set->etag;
  list.max_age_s = s.settings.number("tools.catalog_ttl_s");
  return list;
}

result<void> may_run(services& s, const tenant_id& tenant, const input::tool_request& call) {
  const auto set = s.tools.catalog.of(tenant);
  const auto* entry = set->find(call.tool_id);
  if (!entry) return error(codes::tool_unknown, "there is no such tool");
  if (!entry->enabled) return error(codes::tool_disabled, "the tool is off");
  if (const auto why = s.tools.runner.unavailable(tenant, call.tool_id); !why.empty())
    return error(codes::tool_unavailable, why);
  if (auto inputs = entry->inputs.read(call.inputs_json); !inputs) return inputs.error();
  return {};
}

}  // namespace

asio::awaitable<result<listed_tools>> list_tools(services& s, const caller& who) {
  auto list = list_of(s, who);
  std::vector<std::string> ids;
  for (const auto& [id, entry] : list.set->entries)
    if (entry.enabled && s.tools.runner.unavailable(who.tenant, id).empty()) ids.push_back(id);
  const auto said = co_await s.pipeline.judge(who, "tool.execute", ids);
  std::string etag_parts = list.set->etag;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (said[i].unavailable) co_return policy_is_away();
    if (!said[i].allow) continue;
    etag_parts += ids[i];
    list.tools.push_back({list.set->find(ids[i]), {}});
  }
  list.etag = '"' + derived_uuid({"tools", etag_parts}) + '"';
  co_return list;
}

listed_tools read_tool_catalog(services& s, const caller& who) {
  auto list = list_of(s, who);
  for (const auto& [id, entry] : list.set->entries)
    list.tools.push_back({&entry, s.tools.runner.unavailable(who.tenant, id)});
  return list;
}

asio::awaitable<result<changed_tool>> change_tool(services& s, admitted& in, std::string tool_id,
                                                  std::string change_json, std::string if_match) {
  const auto& tenant = in.who().tenant;
  auto change = [&catalog = s.tools.catalog, tenant, tool_id, change_json,
                 if_match = std::move(if_match)] {
    return catalog.change(tenant, tool_id, change_json, if_match);
  };
  auto entry = co_await on_writes(s, tenant, change);
  if (!entry) co_return entry.error();
  in.changed(change_json);
  s.notices.catalog_changed(tenant);
  changed_tool out;
  out.entry = std::move(*entry);
  out.unavailable = s.tools.runner.unavailable(tenant, tool_id);
  out.etag = s.tools.catalog.of(tenant)->etag;
  co_return out;
}

asio::awaitable<result<answered<command_reply>>> request_tool(services& s, const admitted& in,
                                                              once_key once, session_id session,
                                                              input::tool_request call) {
  auto gate = co_await s.idempotency.enter(in.who(), std::move(once));
  if (!gate) co_return gate.error();
  if (!gate->replay) {
    if (auto good = may_run(s, in.who().tenant, call); !good) co_return good.error();
    std::vector<std::string> tools;
    tools.push_back(call.tool_id);
    auto may = co_await s.pipeline.ask(in, "tool.execute", tools);
    if (!may) co_return may.error();
  }
  input::command what = std::move(call);
  auto reply = co_await s.command(in, session, std::move(what), &*gate);
  if (!reply) co_return reply.error();
  co_return answered<command_reply>(std::move(*reply), gate->replay.has_value());
}

}  // namespace soma::app
