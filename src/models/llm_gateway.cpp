#include "models/llm_gateway.hpp"

#include <map>
#include <set>

#include "core/codes.hpp"
#include "core/context.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "llm/kept_document.hpp"
#include "models/screened_call.hpp"
#include "observability/log.hpp"

namespace soma::models {
namespace {

model_lock lock_of(const config& settings) {
  const auto& text = settings.text("llm.model_lock");
  if (text == "off") return model_lock::off;
  return text == "enforce" ? model_lock::enforce : model_lock::warn;
}

std::uint32_t small_number(const config& settings, std::string_view key) {
  return static_cast<std::uint32_t>(settings.number(key));
}

llm::timeouts waits_of(const config& settings) {
  return {small_number(settings, "llm.connect_timeout_ms"),
          small_number(settings, "llm.first_token_timeout_ms"),
          small_number(settings, "llm.idle_timeout_ms"),
          small_number(settings, "llm.total_timeout_ms")};
}

std::uint64_t prompt_estimate(const llm::call& c) {
  if (c.purpose == llm::purpose::model_list) return 0;
  std::uint64_t tokens = estimate_tokens(c.raw_body);
  for (const auto& m : c.messages) tokens += estimate_tokens(m.text);
  return tokens;
}

}  // namespace

// Those that have not gone, of a gateway. Shared with each of them: a call that is let go goes when
// its client's thread comes to it, and that may be after the gateway.
struct open_calls {
  quick_mutex mutex;
  std::set<metered_call*> all;
};

// One call from its admission to its one settlement, whoever brings it: the provider's end, or the
// caller who lets go of it.
class metered_call {
 public:
  metered_call(llm_gateway& g, actors::llm_caller who, const llm::call& c)
      : g_(g),
        open_(g.open_),
        who_(std::move(who)),
        purpose_(c.purpose),
        base_url_(c.target.base_url),
        profile_(c.target.name),
        provider_(c.target.provider),
        model_(c.target.model),
        prices_(c.target.prices),
        prompt_estimate_(prompt_estimate(c)) {
    for (const auto& p : c.fallbacks) fallback_prices_.emplace(p.name, p.prices);
    std::lock_guard lock(open_->mutex);
    open_->all.insert(this);
  }
  ~metered_call() {
    std::lock_guard lock(open_->mutex);
    open_->all.erase(this);
  }

  void said(std::size_t bytes) { said_bytes_.fetch_add(bytes, std::memory_order_relaxed); }

  void ended(const llm::stream_end& how) {
    if (settled_.exchange(true)) return;
    if (!how.profile.empty()) {
      if (const auto at = fallback_prices_.find(how.profile);
          at != fallback_prices_.end() && how.profile != profile_)
        prices_ = at->second;
      profile_ = how.profile;
      provider_ = how.provider;
      model_ = how.model;
      base_url_ = how.base_url;
    }
    g_.models().learn_window(base_url_, model_, {how.context_window, true});
    auto used = how.usage;
    // A provider that does not tell is counted by the same estimate as everywhere.
    if (!how.error && used.prompt_tokens + used.completion_tokens == 0) used = estimate();
    if (how.error && said_bytes_ > 0 && used.completion_tokens == 0) used = estimate();
    settle(used, how.error ? std::string_view(how.error->code) : "ok", how.finish_reason,
           how.attempts);
  }

  void let_go() {
    if (settled_.exchange(true)) return;
    if (sent_)
      settle(estimate(), "cancelled", "cancelled", 1);
    else
      settle({}, "cancelled", "cancelled", 0);
  }

  // Before anybody knows of the call but who starts it.
  void looked_through_as(security::pii::mode m) {
    mode_ = m;
    sent_ = false;
  }
  // What was found of personal data, and whether the call may go.
  void judged(const security::pii::counts& found, const security::decision& said) {
    found_ = found;
    if (said.allow) {
      sent_ = true;
      return;
    }
    if (settled_.exchange(true)) return;
    rule_ = said.rule;
    settle({}, said.unavailable ? codes::dependency_unavailable : codes::policy_denied, {}, 0);
  }
  // It was not even looked through.
  void refused(const error& why) {
    if (!settled_.exchange(true)) settle({}, why.code, {}, 0);
  }

 private:
  soma::usage estimate() const {
    soma::usage used;
    used.prompt_tokens = prompt_estimate_;
    if (purpose_ == llm::purpose::answer) used.completion_tokens = (said_bytes_ + 3) / 4;
    if (prices_) used.cost_usd = llm::cost_of(used, *prices_);
    return used;
  }

  void settle(const soma::usage& used, std::string_view outcome, std::string_view finish_reason,
              std::uint32_t attempts) {
    const bool failed = outcome != "ok" && outcome != "cancelled";
    const auto now = now_ms();
    const llm::usage_key key{llm::day_of(now), who_.tenant, who_.user,
                             who_.session,     provider_,   model_};
    const auto count = llm::count_of(used, failed);
    g_.p_.ledger.settle(key, count);
    write_audit(count, outcome, finish_reason, attempts);
    auto& m = g_.p_.metrics;
    const std::string provider(llm::provider_label(provider_));
    const auto tokens = [&](const char* kind, std::uint64_t n) {
      m.get_counter("soma_llm_tokens_total", "tokens of model calls",
                    {{"provider", provider}, {"kind", kind}})
          .add(n);
    };
    tokens("prompt", used.prompt_tokens);
    tokens("completion", used.completion_tokens);
    m.get_counter("soma_llm_invocations_total", "model calls by how they ended",
                  {{"provider", provider}, {"outcome", std::string(outcome)}})
        .add();
    if (failed) log_failure(outcome, attempts);
    g_.p_.usage.save_soon();
  }

  void log_failure(std::string_view code, std::uint32_t attempts) const {
    log_context about;
    about.request_id = who_.request_id;
    about.trace_id = who_.trace_id;
    about.session_id = who_.session;
    about.tenant_id = who_.tenant.value;
    log(log_level::warn, "llm.failed",
        {{"code", code}, {"profile", profile_}, {"provider", provider_}, {"attempts", attempts}},
        about);
  }

  // A view of this, and of `data`.
  security::audit_record record_of(const std::string& data) const {
    security::audit_record r;
    r.what = "llm.invoke";
    r.when_ms = began_ms_;
    r.tenant_id = who_.tenant.value;
    r.user_id = who_.user;
    r.door = who_.session.empty() ? "http" : "session";
    r.session_id = who_.session;
    r.request_id = who_.request_id;
    r.trace_id = who_.trace_id;
    r.data_json = std::string_view(data).substr(1, data.size() - 2);
    return r;
  }

  // So a kill leaves a record of a call that was under way.
  std::uint32_t note() const {
    std::string data;
    json_writer w(data);
    w.begin_object().field("profile", profile_).field("provider", provider_);
    w.field("model", model_).field("base_url", base_url_).end_object();
    auto r = record_of(data);
    r.outcome = "interrupted";
    return g_.p_.audit.begin(r);
  }

  void write_audit(const llm::usage_count& count, std::string_view outcome,
                   std::string_view finish_reason, std::uint32_t attempts) {
    std::string data;
    json_writer w(data);
    w.begin_object().field("profile", profile_).field("provider", provider_);
    w.field("model", model_).field("base_url", base_url_).field_if("finish_reason", finish_reason);
    w.field("attempts", std::uint64_t{attempts}).key("usage").raw(llm::to_json(count));
    if (security::pii::any(found_)) {
      w.key("pii").begin_object().field("mode", to_string(mode_));
      w.key("found").raw(security::pii::counts_json(found_)).end_object();
    }
    w.end_object();
    auto r = record_of(data);
    r.outcome = outcome == "ok" || outcome == "cancelled" ? outcome : "failed";
    if (r.outcome == "failed") r.why = rule_.empty() ? outcome : rule_;
    if (outcome == codes::policy_denied) r.outcome = "denied";
    if (outcome == codes::dependency_unavailable) r.outcome = "unavailable";
    g_.p_.audit.end(noted_, r);
  }

  llm_gateway& g_;  // until it is settled
  const std::shared_ptr<open_calls> open_;
  const actors::llm_caller who_;
  const llm::purpose purpose_;
  std::string base_url_, profile_, provider_, model_;
  std::optional<llm::token_prices> prices_;
  std::map<std::string, std::optional<llm::token_prices>> fallback_prices_;
  const std::uint64_t prompt_estimate_;
  const std::int64_t began_ms_ = now_ms();
  const std::uint32_t noted_ = note();  // behind all that it tells
  std::atomic<std::uint64_t> said_bytes_{0};
  std::atomic<bool> settled_{false}, sent_{true};
  // Written before the call goes.
  security::pii::mode mode_ = security::pii::mode::off;
  security::pii::counts found_{};
  std::string rule_;
};

namespace {

class metered_handle final : public llm::stream_handle {
 public:
  metered_handle(std::unique_ptr<llm::stream_handle> inner, std::shared_ptr<metered_call> meter)
      : inner_(std::move(inner)), meter_(std::move(meter)) {}
  ~metered_handle() override {
    inner_.reset();  // after this the sink is quiet
    meter_->let_go();
  }
  void pause() override { inner_->pause(); }
  void resume() override { inner_->resume(); }

 private:
  std::unique_ptr<llm::stream_handle> inner_;
  std::shared_ptr<metered_call> meter_;
};

llm::stream_sink metered(llm::stream_sink sink, std::shared_ptr<metered_call> meter) {
  llm::stream_sink outer;
  if (sink.on_raw)
    outer.on_raw = [meter, raw = std::move(sink.on_raw)](std::string_view data) {
      meter->said(data.size() / 8);  // most of an event is its frame
      raw(data);
    };
  if (sink.on_document)
    outer.on_document =
        [meter, take = std::move(sink.on_document)](std::shared_ptr<llm::kept_document> document) {
          meter->said(document->size() / 8);
          take(std::move(document));
        };
  if (sink.on_piece)
    outer.on_piece = [meter, piece = std::move(sink.on_piece)](std::string text, bool thinking) {
      meter->said(text.size());
      piece(std::move(text), thinking);
    };
  outer.on_end = [meter, end = std::move(sink.on_end)](llm::stream_end how) {
    meter->ended(how);
    if (end) end(std::move(how));
  };
  return outer;
}

}  // namespace

llm_gateway::llm_gateway(const llm_gateway_needs& needs)
    : p_(needs),
      lock_(lock_of(needs.settings)),
      retries_(small_number(needs.settings, "llm.retries")),
      waits_(waits_of(needs.settings)),
      open_(std::make_shared<open_calls>()) {}

llm_gateway::~llm_gateway() {
  settle_open_calls();
}

void llm_gateway::settle_open_calls() {
  decltype(questions_) over;  // end without the lock: their ends take it
  {
    std::lock_guard lock(questions_mutex_);
    over.swap(questions_);
  }
  std::lock_guard lock(open_->mutex);
  for (auto* call : open_->all) call->let_go();
}

// The list of models tells it in most servers; what else may tell is asked in a test of the
// profile, since it is no part of the API that a base URL promises.
void llm_gateway::ask_for_window(llm::llm_client& client, const llm::call& c) {
  if (c.purpose != llm::purpose::answer) return;
  if (!p_.models.ask_for_window(c.target.base_url, c.target.model)) return;
  llm::call question;
  question.purpose = llm::purpose::model_list;
  question.target = c.target;
  question.waits = c.waits;
  std::unique_lock lock(questions_mutex_);
  const auto number = ++last_question_;
  questions_.try_emplace(number);
  lock.unlock();
  llm::stream_sink sink;
  sink.on_raw = [this, base_url = c.target.base_url,
                 model = c.target.model](std::string_view list) {
    p_.models.learn_window(base_url, model, llm::window_in_list(list, model));
  };
  sink.on_end = [this, number](const llm::stream_end&) {
    std::unique_lock done(questions_mutex_);
    const auto over = questions_.extract(number);
    done.unlock();  // before the handle goes
  };
  auto handle = client.start(std::move(question), std::move(sink));
  lock.lock();
  if (const auto at = questions_.find(number); at != questions_.end())
    at->second = std::move(handle);
  lock.unlock();
}

bool llm_gateway::redacts(const tenant_id& tenant) const {
  return p_.guard && p_.guard->mode_of(tenant) == security::pii::mode::redact;
}

// Of what memory makes vectors of nobody would read a refusal, and vectors have no words: they are
// made of what is left.
result<std::unique_ptr<llm::stream_handle>> llm_gateway::start_looked_through(
    security::pii::mode mode, llm::llm_client& client, const actors::llm_caller& who, llm::call c,
    llm::stream_sink sink, const std::shared_ptr<metered_call>& meter, const client_thread& home) {
  const bool of_memory = c.purpose == llm::purpose::embeddings && who.actor_json.empty();
  if (mode == security::pii::mode::deny && of_memory) mode = security::pii::mode::redact;
  meter->looked_through_as(mode);
  security::pii::leaving about;
  about.tenant = who.tenant.value;
  about.user = who.user;
  about.session = who.session;
  about.request_id = who.request_id;
  about.actor_json = who.actor_json;
  screening how{client, *p_.guard, mode, std::move(about), home, {}, {}};
  if (p_.aside)
    how.aside = [&aside = p_.aside, tenant = who.tenant](std::function<void()> work) {
      return aside(tenant, std::move(work));
    };
  how.on_judged = [meter](const security::pii::counts& found, const security::decision& said) {
    meter->judged(found, said);
  };
  auto handle = start_screened(std::move(how), std::move(c), metered(std::move(sink), meter));
  if (!handle) {
    meter->refused(handle.error());
    return handle.error();
  }
  return std::unique_ptr<llm::stream_handle>(
      std::make_unique<metered_handle>(std::move(*handle), meter));
}

result<llm::call> llm_gateway::prepare(const tenant_id& tenant, const wanted_model& wanted) const {
  auto resolved = p_.models.resolve(tenant, wanted);
  if (!resolved) return resolved.error();
  llm::call c;
  c.target = std::move(resolved->target);
  c.fallbacks = std::move(resolved->fallbacks);
  c.retries = retries_;
  c.waits = waits_;
  return c;
}

result<secret_string> llm_gateway::key_for(const tenant_id& tenant,
                                           const llm::profile& target) const {
  auto stored = p_.vault.open(tenant, target.provider);
  if (!stored) return stored.error();
  if (*stored) return std::move(**stored);
  // A key of the operator's must not follow a tenant's profile to an address of the tenant's.
  // Nor does one go where it could be read on the way.
  const auto owner = target.base_url.starts_with("https://") ? llm::detect_provider(target.base_url)
                                                             : std::string_view();
  for (const auto* provider :
       {"openai", "anthropic", "google", "mistral", "groq", "openrouter", "deepseek", "together"})
    if (owner == provider)
      if (const auto& key = p_.settings.secret(std::string("credentials.") + provider);
          !key.empty())
        return key;
  if (p_.models.is_configured_address(target)) return p_.settings.secret("llm.api_key");
  return secret_string();
}

result<std::unique_ptr<llm::stream_handle>> llm_gateway::start(llm::llm_client& client,
                                                               const actors::llm_caller& who,
                                                               llm::call c, llm::stream_sink sink,
                                                               const client_thread& home) {
  if (c.target.base_url.empty())
    return error(codes::llm_not_configured, "no model is configured: set a profile");
  auto key = key_for(who.tenant, c.target);
  if (!key) return key.error();
  c.target.api_key = std::move(*key);
  std::erase_if(c.fallbacks, [&](llm::profile& other) {
    auto its = key_for(who.tenant, other);
    if (its) other.api_key = std::move(*its);
    return its.has_error();
  });
  if (auto admitted = p_.ledger.admit(who.tenant, now_ms()); !admitted) return admitted.error();
  ask_for_window(client, c);
  c.tenant = who.tenant.value;
  c.asker = who.session.empty() ? who.user : who.session;
  auto meter = std::make_shared<metered_call>(*this, who, c);
  const auto mode = p_.guard ? p_.guard->mode_of(who.tenant) : security::pii::mode::off;
  if (mode != security::pii::mode::off && c.purpose != llm::purpose::model_list)
    return start_looked_through(mode, client, who, std::move(c), std::move(sink), meter, home);
  auto handle = client.start(std::move(c), metered(std::move(sink), meter));
  return std::unique_ptr<llm::stream_handle>(
      std::make_unique<metered_handle>(std::move(handle), std::move(meter)));
}

}  // namespace soma::models
