#include "security/pii/egress_guard.hpp"

#include <future>
#include <mutex>
#include <utility>

#include "core/codes.hpp"

namespace soma::security::pii {
namespace {

constexpr std::string_view collection = "egress";
constexpr std::chrono::milliseconds look_every{100};  // whether he who was asked has ended
constexpr kind all_kinds[] = {kind::mail, kind::phone, kind::card, kind::iban, kind::national};

counter& found_total(metrics_registry& metrics, std::string_view to, kind k) {
  return metrics.get_counter("soma_pii_found_total",
                             "Personal data found in what was about to leave",
                             {{"to", std::string(to)}, {"kind", std::string(to_string(k))}});
}

counter& egress_total(metrics_registry& metrics, std::string_view to, std::string_view outcome) {
  return metrics.get_counter("soma_pii_egress_total",
                             "What was about to leave with personal data in it",
                             {{"to", std::string(to)}, {"outcome", std::string(outcome)}});
}

std::string outcome_of(mode m, const std::vector<decision>& said) {
  if (said.front().unavailable) return "unavailable";
  if (!said.front().allow) return "denied";
  return m == mode::redact ? "redacted" : "reported";
}

// "mail: 2, phone: 1"
std::string words_of(const counts& found) {
  std::string out;
  for (std::size_t i = 0; i < kinds; ++i) {
    if (found[i] == 0) continue;
    if (!out.empty()) out += ", ";
    out.append(to_string(all_kinds[i])).append(": ").append(std::to_string(found[i]));
  }
  return out;
}

}  // namespace

result<void> egress_guard::load() {
  // There from the start, so that a rate of them begins at nothing.
  for (const auto* to : {"llm", "tool", "memory"}) {
    for (const auto k : all_kinds) found_total(metrics_, to, k);
    for (const auto* outcome : {"reported", "redacted", "denied", "unavailable"})
      egress_total(metrics_, to, outcome);
  }
  auto rows = rows_.list(collection);
  if (!rows) return rows.error();
  decltype(own_) all;
  for (const auto& [tenant, name] : *rows) {
    const auto own = mode_named(name);
    if (!own)
      return error(codes::storage_corrupt, "what a tenant lets leave cannot be read: " + tenant);
    all.insert_or_assign(tenant_id(tenant), *own);
  }
  const std::lock_guard lock(mutex_);
  own_ = std::move(all);
  return {};
}

mode egress_guard::mode_of(const tenant_id& tenant) const {
  return own_mode(tenant).value_or(of_node_);
}

std::optional<mode> egress_guard::own_mode(const tenant_id& tenant) const {
  const std::lock_guard lock(mutex_);
  const auto at = own_.find(tenant);
  return at == own_.end() ? std::nullopt : std::optional(at->second);
}

result<void> egress_guard::set(const tenant_id& tenant, std::optional<mode> own) {
  const std::lock_guard changing(change_mutex_);
  auto kept = own ? rows_.put(collection, tenant.value, to_string(*own))
                  : rows_.remove(collection, tenant.value);
  if (!kept) return kept;
  const std::lock_guard lock(mutex_);
  if (own)
    own_.insert_or_assign(tenant, *own);
  else
    own_.erase(tenant);
  return {};
}

void egress_guard::ask_by(asker whom) {
  auto next = whom ? std::make_shared<const asker>(std::move(whom)) : nullptr;
  std::unique_lock lock(asking_mutex_);
  ask_.swap(next);
  ++asker_no_;
  asked_.wait(lock, [this] { return asking_ == 0; });
}

void egress_guard::count(const leaving& what, std::string_view outcome) {
  const std::string to = what.to.front().substr(0, what.to.front().find(':'));
  for (std::size_t i = 0; i < kinds; ++i)
    if (what.found[i] > 0) found_total(metrics_, to, all_kinds[i]).add(what.found[i]);
  egress_total(metrics_, to, outcome).add();
}

void egress_guard::judge(mode m, leaving what, told then) {
  const auto places = what.to.size();
  const auto counted = [this, m, then = std::move(then), what](std::vector<decision> said) {
    count(what, outcome_of(m, said));
    then(std::move(said));
  };
  if (m == mode::deny)
    return counted(std::vector<decision>(
        places,
        {false, std::string(deny_rule),
         "it holds personal data (" + words_of(what.found) + "), which may not leave", false}));
  std::shared_ptr<const asker> whom;
  {
    const std::lock_guard lock(asking_mutex_);
    whom = ask_;
    if (whom) ++asking_;
  }
  if (!whom)
    return counted(std::vector<decision>(places, {false, "policy", "nobody is asked yet", true}));
  (*whom)(std::move(what), counted);
  const std::lock_guard lock(asking_mutex_);
  if (--asking_ == 0) asked_.notify_all();
}

decision egress_guard::judge_waiting(mode m, leaving what) {
  expect_may_block("asking whether it may leave");
  const auto said = std::make_shared<std::promise<decision>>();
  auto answer = said->get_future();
  const auto asker_no = asker_no_.load();
  const auto until = std::chrono::steady_clock::now() + judge_wait_max;
  judge(m, std::move(what),
        [said](std::vector<decision> all) { said->set_value(std::move(all.front())); });
  while (answer.wait_for(look_every) != std::future_status::ready)
    if (asker_no_ != asker_no || std::chrono::steady_clock::now() > until)
      return {false, "policy", "no answer came", true};
  return answer.get();
}

}  // namespace soma::security::pii
