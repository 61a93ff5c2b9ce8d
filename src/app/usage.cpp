#include "app/usage.hpp"

#include <map>

#include "app/on_longer.hpp"
#include "app/services.hpp"
#include "app/session_facts.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "models/llm_gateway.hpp"
#include "models/usage_store.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

constexpr std::int64_t day_ms = 24ll * 3600 * 1000;
// What one question may read: a lane to the store is held meanwhile.
constexpr std::size_t usage_rows_max = 200'000;

using usage_rows = std::vector<std::pair<llm::usage_key, llm::usage_count>>;

// Of somebody alone, where that is given, and of the sessions that he still sees.
result<usage_rows> add_up(const storage::event_log& log, fact_table& facts, const tenant_id& tenant,
                          const usage_question& q, const std::string& only_user) {
  const session_sight sight(facts, log);
  std::map<std::string, bool, std::less<>> seen;
  const auto hides = [&](const std::string& session) {
    if (only_user.empty() || q.by != usage_by::session || session.empty()) return false;
    const auto [at, is_new] = seen.try_emplace(session);
    // What was used in a session that is gone stays its user's.
    if (is_new) at->second = sight.sees(tenant, only_user, session).value_or(true);
    return !at->second;
  };
  std::map<llm::usage_key, llm::usage_count> sums;
  std::size_t read = 0;
  for (auto at = q.from_ms; at <= q.to_ms; at += day_ms) {
    auto rows = models::usage_store::rows(log, tenant, llm::day_of(at), usage_rows_max + 1 - read);
    if (!rows) return rows.error();
    if ((read += rows->size()) > usage_rows_max)
      return error(codes::request_invalid_parameter,
                   "there is more usage in that range than one answer adds up: ask for fewer days")
          .about("from");
    for (auto& [key, count] : *rows) {
      if (!only_user.empty() && key.user != only_user) continue;
      if (hides(key.session)) continue;
      if (q.by == usage_by::model) key.user.clear();
      if (q.by != usage_by::session) key.session.clear();
      sums[key] += count;
    }
  }
  return usage_rows(sums.begin(), sums.end());
}

}  // namespace

asio::awaitable<result<usage_report>> read_usage(services& s, const caller& who,
                                                 usage_question asked) {
  std::string only_user;  // empty: everybody's
  if (asked.by != usage_by::model && who.role != role::admin) only_user = who.user.value;
  auto read = [log = &s.node.log, facts = &s.known_facts, tenant = who.tenant, asked, only_user] {
    return add_up(*log, *facts, tenant, asked, only_user);
  };
  auto rows = co_await on_longer(s, who.tenant, std::move(read));
  if (!rows) co_return rows.error();
  usage_report report;
  report.rows = std::move(*rows);
  report.now = s.llm.ledger().of(who.tenant, now_ms());
  report.waiting = s.llm.places().waiting_of(who.tenant.value);
  co_return report;
}

}  // namespace soma::app
