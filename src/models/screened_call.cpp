#include "models/screened_call.hpp"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "models/egress_denial.hpp"

namespace soma::models {
namespace {

namespace pii = security::pii;

std::size_t text_bytes(const llm::call& c) {
  auto bytes = c.raw_body.size() + c.prefix.size() + c.members_json.size();
  for (const auto& m : c.messages) {
    bytes += m.text.size() + m.content_json.size() + m.provider_state_json.size();
    for (const auto& asked : m.tool_calls) bytes += asked.inputs_json.size();
  }
  for (const auto& tool : c.tools)
    bytes += tool.description.size() + tool.inputs_schema_json.size();
  return bytes;
}

std::string place_of(const llm::profile& target) {
  return "llm:" + target.provider;
}

// Text and thinking come one after another, so what one holds back is over where the other begins.
struct words_back {
  explicit words_back(std::shared_ptr<const pii::placeholders> of)
      : words(std::move(of)), text(*words), thought(*words) {}

  const std::shared_ptr<const pii::placeholders> words;
  pii::restorer text, thought;
};

llm::stream_sink restoring(llm::stream_sink sink, std::shared_ptr<const pii::placeholders> words) {
  const auto back = std::make_shared<words_back>(std::move(words));
  const auto to = std::make_shared<llm::stream_sink>(std::move(sink));
  const auto give = [to](std::string piece, bool thinking) {
    if (!piece.empty() && to->on_piece) to->on_piece(std::move(piece), thinking);
  };
  llm::stream_sink outer;
  outer.on_raw = to->on_raw;
  outer.on_document = to->on_document;
  if (to->on_piece)
    outer.on_piece = [back, give](const std::string& piece, bool thinking) {
      give((thinking ? back->text : back->thought).end(), !thinking);
      give((thinking ? back->thought : back->text).feed(piece), thinking);
    };
  outer.on_end = [back, give, to](llm::stream_end how) {
    give(back->thought.end(), true);
    give(back->text.end(), false);
    for (auto& asked : how.tool_calls)
      asked.inputs_json = pii::restore_json(*back->words, std::move(asked.inputs_json));
    if (to->on_end) to->on_end(std::move(how));
  };
  return outer;
}

class screened_call final : public std::enable_shared_from_this<screened_call> {
 public:
  screened_call(screening how, llm::call c, llm::stream_sink sink)
      : how_(std::move(how)),
        redacts_(how_.mode == pii::mode::redact),
        call_(std::move(c)),
        sink_(std::move(sink)),
        screen_(redacts_) {}

  result<std::unique_ptr<llm::stream_handle>> start();

  void pause(bool paused) {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
    if (inner_) paused ? inner_->pause() : inner_->resume();
  }
  void let_go() {
    std::unique_ptr<llm::stream_handle> over;
    const std::lock_guard lock(mutex_);
    gone_ = true;
    over = std::move(inner_);
    over.reset();  // the sink is quiet then
  }

 private:
  void look() { look_through(call_, screen_, redacts_); }
  void ask();
  void answered(std::vector<security::decision> said);
  void go(const security::decision& said);
  void start_inner();

  const screening how_;
  const bool redacts_;
  // Recursive: a sink that is told of its end may let the handle go.
  std::recursive_mutex mutex_;
  llm::call call_;
  llm::stream_sink sink_;
  pii::screen screen_;
  std::optional<security::decision> answer_;  // that came before anybody waited for it
  std::unique_ptr<llm::stream_handle> inner_;
  bool waited_for_ = false, gone_ = false, paused_ = false;
};

class handle final : public llm::stream_handle {
 public:
  explicit handle(std::shared_ptr<screened_call> of) : of_(std::move(of)) {}
  ~handle() override { of_->let_go(); }
  void pause() override { of_->pause(true); }
  void resume() override { of_->pause(false); }

 private:
  const std::shared_ptr<screened_call> of_;
};

result<std::unique_ptr<llm::stream_handle>> screened_call::start() {
  const auto work = [self = shared_from_this()] {
    self->look();
    self->ask();
  };
  if (text_bytes(call_) <= screening::inline_bytes_max || !how_.aside)
    work();
  else if (!how_.aside(work))
    return error(codes::server_busy, "much waits to be looked through already", 1);
  const std::lock_guard lock(mutex_);
  if (!answer_) {
    waited_for_ = true;
  } else {
    if (how_.on_judged) how_.on_judged(screen_.found(), *answer_);
    if (!answer_->allow) return denial_error(*answer_);
    start_inner();
  }
  return std::unique_ptr<llm::stream_handle>(std::make_unique<handle>(shared_from_this()));
}

// Whoever lets the handle go waits for no more than this.
void screened_call::ask() {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  auto about = how_.about;
  about.to = {place_of(call_.target)};
  for (const auto& other : call_.fallbacks) about.to.push_back(place_of(other));
  if (!pii::any(screen_.found()))
    return answered(std::vector<security::decision>(about.to.size(), {true, {}, {}, false}));
  about.found = screen_.found();
  how_.guard.judge(how_.mode, std::move(about),
                   [self = shared_from_this()](std::vector<security::decision> said) {
                     self->answered(std::move(said));
                   });
}

void screened_call::answered(std::vector<security::decision> said) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  // To others it goes where it may.
  std::size_t at = 0;
  std::erase_if(call_.fallbacks, [&](const llm::profile&) { return !said[++at].allow; });
  if (!waited_for_) {
    answer_ = std::move(said.front());
    return;
  }
  if (!how_.home) return go(said.front());
  how_.home([self = shared_from_this(), one = std::move(said.front())] { self->go(one); });
}

void screened_call::go(const security::decision& said) {
  const std::lock_guard lock(mutex_);
  if (gone_) return;
  if (how_.on_judged) how_.on_judged(screen_.found(), said);
  if (said.allow) return start_inner();
  llm::stream_end refused;
  refused.error = denial_of(said);
  refused.profile = call_.target.name;
  refused.provider = call_.target.provider;
  refused.model = call_.target.model;
  refused.base_url = call_.target.base_url;
  if (said.unavailable) refused.retry_after_ms = 1000;
  if (sink_.on_end) sink_.on_end(std::move(refused));
}

void screened_call::start_inner() {
  if (screen_.words()->size() > 0) sink_ = restoring(std::move(sink_), screen_.words());
  inner_ = how_.client.start(std::move(call_), std::move(sink_));
  if (paused_) inner_->pause();
}

}  // namespace

void look_through(llm::call& c, pii::screen& s, bool redacts) {
  for (auto& m : c.messages) {
    if (m.content_json.empty()) {
      s.text(m.text);
    } else {  // which then has the same texts, and `text` is not sent
      s.json(m.content_json);
      if (redacts) s.json(m.text, false);
    }
    for (auto& asked : m.tool_calls) s.json(asked.inputs_json);
    // It cannot be written anew: its provider knows its own words. So it goes and is counted, or
    // stays here.
    if (!redacts)
      s.json(m.provider_state_json);
    else if (pii::screen::finds(m.provider_state_json))
      m.provider_state_json.clear();
  }
  s.text(c.prefix);
  s.json(c.raw_body);
  s.json(c.members_json);
  for (auto& tool : c.tools) {
    s.text(tool.description);
    s.schema(tool.inputs_schema_json);
  }
  const auto words = [&](llm::profile& target) {
    for (auto& word : target.stop) s.text(word);
  };
  words(c.target);
  for (auto& other : c.fallbacks) words(other);
}

result<std::unique_ptr<llm::stream_handle>> start_screened(screening how, llm::call c,
                                                           llm::stream_sink sink) {
  return std::make_shared<screened_call>(std::move(how), std::move(c), std::move(sink))->start();
}

}  // namespace soma::models
