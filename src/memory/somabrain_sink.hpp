// Takes memories to SomaBrain: the relay's sink of rows "somabrain", which name items. An item goes
// as it is when it is sent, and is `replicated` once SomaBrain has said so of that version; a dead
// letter is `failed`. Rows that name what was said of an answer go beside them, in calls and an
// order of their own. Threads, blocking: as outbox/sink.hpp says. Lifetime: what it needs outlives
// it.
#pragma once

#include "memory/memories.hpp"
#include "memory/somabrain.hpp"
#include "memory/somabrain_feedback.hpp"
#include "outbox/sink.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

class somabrain_sink final : public outbox::sink {
 public:
  somabrain_sink(const storage::event_log& log, memories& kept, somabrain& to,
                 somabrain_feedback& ratings)
      : log_(log), kept_(kept), to_(to), ratings_(ratings) {}

  std::string_view name() const override { return brain_sink; }
  std::optional<outbox::row_facts> facts(std::string_view payload) const override;
  outbox::attempt send(const std::vector<std::string>& payloads) override;
  void gave_up(std::string_view payload) override;
  std::int64_t since_ms(std::string_view payload) const override;
  void stop() override { to_.stop(); }

 private:
  result<std::optional<item>> item_of(const change& what) const;

  const storage::event_log& log_;
  memories& kept_;
  somabrain& to_;
  somabrain_feedback& ratings_;
};

}  // namespace soma::memory
