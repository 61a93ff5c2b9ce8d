#include "node/embeddings.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <limits>
#include <mutex>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "llm/kept_document.hpp"

namespace soma {
namespace {

namespace json = boost::json;
using memory::embedding;
using vectors = std::vector<embedding>;

const models::wanted_model role{{}, "embed", {}};
// Of whom usage tells where nobody asked: what is kept is the tenant's.
constexpr std::string_view nobody = "memory";
constexpr std::size_t answer_bytes_max = 16u << 20, dimensions_max = 16'384;

error unreadable() {
  return {codes::llm_provider_error, "the provider gave no vectors that can be read"};
}

// A provider's failure under one of the codes that are told apart here.
error as_error(const failure& why, std::uint32_t retry_after_ms) {
  const auto seconds = static_cast<int>((retry_after_ms + 999) / 1000);
  for (const auto code :
       {codes::llm_bad_request, codes::llm_context_exceeded, codes::llm_rate_limited,
        codes::quota_exceeded, codes::llm_auth, codes::llm_unreachable, codes::llm_circuit_open,
        codes::llm_timeout_first_token, codes::llm_timeout_idle, codes::llm_timeout_total,
        codes::llm_interrupted, codes::llm_not_configured})
    if (why.code == code) return {code, why.detail, seconds};
  return {codes::llm_provider_error, why.detail, seconds};
}

result<vectors> read_vectors(const std::string& text, std::size_t count) {
  boost::system::error_code wrong;
  const auto read = json::parse(text, wrong);
  const auto* object = wrong ? nullptr : read.if_object();
  const auto* data = object ? object->if_contains("data") : nullptr;
  const auto* list = data ? data->if_array() : nullptr;
  if (!list || list->size() != count) return unreadable();
  vectors out(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* one = (*list)[i].if_object();
    const auto* numbers = one ? one->if_contains("embedding") : nullptr;
    if (!numbers || !numbers->is_array()) return unreadable();
    auto at = i;
    if (const auto* index = one->if_contains("index"); index && index->is_int64())
      at = static_cast<std::size_t>(index->get_int64());
    if (at >= count || !out[at].empty()) return unreadable();
    const auto& values = numbers->get_array();
    if (values.empty() || values.size() > dimensions_max) return unreadable();
    for (const auto& value : values) {
      if (!value.is_number() && !value.is_null()) return unreadable();
      // No number, as some write what is none: of no direction.
      out[at].push_back(value.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                        : value.to_number<float>());
    }
  }
  const auto dimension = out.front().size();
  if (std::any_of(out.begin(), out.end(),
                  [&](const embedding& v) { return v.size() != dimension; }))
    return unreadable();
  return out;
}

class provider_call final : public memory::embedding_call {
 public:
  explicit provider_call(std::size_t count) : count_(count), shared_(std::make_shared<shared>()) {}
  ~provider_call() override { handle_.reset(); }

  void start(node_models& models, const actors::llm_caller& who, llm::call what) {
    llm::stream_sink sink;
    sink.on_raw = [to = shared_](std::string_view data) {
      const std::lock_guard lock(to->mutex);
      if (to->text.size() + data.size() <= answer_bytes_max) to->text += data;
    };
    sink.on_document = [to = shared_](std::shared_ptr<llm::kept_document> document) {
      const std::lock_guard lock(to->mutex);
      to->document = std::move(document);
    };
    sink.on_end = [to = shared_](const llm::stream_end& how) {
      to->end(how.error ? std::optional(as_error(*how.error, how.retry_after_ms)) : std::nullopt);
    };
    auto begun = models.start(who, std::move(what), std::move(sink));
    if (!begun) return shared_->end(begun.error());
    handle_ = std::move(*begun);
  }
  void fail(const error& why) { shared_->end(why); }

  std::optional<result<vectors>> wait(std::chrono::steady_clock::time_point until) override {
    std::unique_lock lock(shared_->mutex);
    if (!shared_->ended.wait_until(lock, until, [&] { return shared_->over; })) return std::nullopt;
    if (shared_->failed) return result<vectors>(*shared_->failed);
    auto document = std::move(shared_->document);
    const auto text = std::move(shared_->text);
    lock.unlock();
    if (!document) return read_vectors(text, count_);
    if (document->size() > answer_bytes_max) return result<vectors>(unreadable());
    return read_vectors(document->take_whole(), count_);
  }

 private:
  struct shared {
    std::mutex mutex;
    std::condition_variable ended;
    bool over = false;
    std::optional<error> failed;
    std::string text;
    std::shared_ptr<llm::kept_document> document;

    void end(std::optional<error> why) {
      const std::lock_guard lock(mutex);
      if (std::exchange(over, true)) return;
      failed = std::move(why);
      ended.notify_all();
    }
  };
  const std::size_t count_;
  const std::shared_ptr<shared> shared_;
  std::unique_ptr<llm::stream_handle> handle_;
};

std::string body_of(const std::vector<std::string>& texts) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("input").begin_array();
  for (const auto& text : texts) w.string(text);
  w.end_array().end_object();
  return out;
}

}  // namespace

std::string node_embeddings::model_of(const tenant_id& tenant) const {
  const auto found = models_.gateway().models().resolve(tenant, role);
  if (!found || found->target.wire == llm::wire_kind::anthropic) return {};  // which has none
  return found->target.base_url + '\n' + found->target.model;
}

std::unique_ptr<memory::embedding_call> node_embeddings::begin(const tenant_id& tenant,
                                                               const user_id& user,
                                                               std::vector<std::string> texts,
                                                               int ms) {
  auto out = std::make_unique<provider_call>(texts.size());
  auto call = models_.gateway().prepare(tenant, role);
  if (!call) {
    out->fail(call.error());
    return out;
  }
  call->fallbacks.clear();  // vectors of another model mean something else
  call->retries = 0;        // whoever asks waits and asks again, or goes on without
  call->purpose = llm::purpose::embeddings;
  call->raw_body = body_of(texts);
  const auto most = static_cast<std::uint32_t>(std::max(ms, 1));
  auto& waits = call->waits;
  waits.connect_ms = std::min(waits.connect_ms, most);
  waits.first_token_ms = std::min(waits.first_token_ms, most);
  waits.total_ms = most;
  actors::llm_caller who;
  who.tenant = tenant;
  who.user = user.value.empty() ? std::string(nobody) : user.value;
  who.request_id = new_uuid();
  out->start(models_, who, std::move(*call));
  return out;
}

}  // namespace soma
